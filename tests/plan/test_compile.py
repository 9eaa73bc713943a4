"""From configuration and schemas to a table of routes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, ClassVar

import pytest

from tests.plan.requests import request
from tests.plan.test_stream import Script
from tests.support.protos import Schema as Compiled
from transcoder.config.model import Config
from transcoder.config.values import Rate
from transcoder.context import (
    CallResult,
    Metadata,
    OpenStream,
    Principal,
    Reply,
    Stream,
    StreamReply,
    UnaryCall,
)
from transcoder.errors import (
    ABORTED,
    NOT_FOUND,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNIMPLEMENTED,
    TranscodeError,
)
from transcoder.plan.compile import BackendCompiler, compile_snapshot
from transcoder.plan.plan import BackendRoutes, Route, Snapshot
from transcoder.resilience.limiter import Count
from transcoder.schema.schema import Schema
from transcoder.schema.source import from_descriptor_set
from transcoder.security.api_keys import ApiKeys

PROTOS = {
    "shop.proto": """
        syntax = "proto3"; package shop.v1; import "google/api/annotations.proto";
        service Orders {
          rpc Get(Ask) returns (Order) {
            option (google.api.http) = { get: "/v1/orders/{id}" additional_bindings { get: "/bad/{" } };
          }
          rpc Put(Order) returns (Order) { option (google.api.http) = {put: "/v1/orders/{id}" body: "*"}; }
          rpc Watch(Ask) returns (stream Order) { option (google.api.http) = {get: "/v1/watch"}; }
          rpc Load(stream Order) returns (Order);
          rpc Chat(stream Order) returns (stream Order);
        }
        message Ask { string id = 1; Filter filter = 2; repeated string tags = 3; }
        message Filter { string name = 1; }
        message Order { string id = 1; string note = 2; repeated string items = 3; }
    """,
    "reflection.proto": """
        syntax = "proto3"; package grpc.reflection.v1;
        service ServerReflection { rpc Info(Ask) returns (Ask); } message Ask {}
    """,
}


def schema_of(protos: dict[str, str]) -> Schema:
    return Schema.from_files(from_descriptor_set(Compiled.from_protos(protos).files.SerializeToString()))


@pytest.fixture(scope="module")
def schema() -> Schema:
    return schema_of(PROTOS)


def route(**keys: Any) -> dict[str, Any]:
    default = {
        "name": "get",
        "path": "/o/{id}",
        "method": "GET",
        "service": "shop",
        "grpc_service": "Orders",
        "grpc_method": "Get",
    }
    return {**default, **keys}


def config(*routes: dict[str, Any], expose: Sequence[str] = (), **more: Any) -> Config:
    service = {"address": "localhost:1", "expose": list(expose), **more.pop("service", {})}
    return Config.model_validate({"services": {"shop": service}, "routes": list(routes), **more})


AUTH = {"issuers": [{"name": "main", "algorithms": ["HS256"], "secret": "s" * 32}]}


class Verifier:
    """Takes any one header for the token of a user with these roles and scopes."""

    def __init__(self, roles: Sequence[str] = (), scopes: Sequence[str] = ()) -> None:
        self._principal = Principal(user_id="u", roles=frozenset(roles), scopes=frozenset(scopes))

    async def verify(self, authorization: Sequence[str]) -> Principal:
        if not authorization:
            raise TranscodeError(UNAUTHENTICATED, "missing credentials")
        return self._principal


class Calls:
    """The calls of a backend without a network: every one is recorded and answered alike."""

    wires: ClassVar[list[bytes]] = []
    """The request messages of all of them."""

    def __init__(self, wire: bytes = b"") -> None:
        self.paths: list[str] = []
        self.retried: list[str] = []
        self._wire = wire

    def unary(self, path: str, *, is_retried: bool = False) -> UnaryCall:
        self.paths.append(path)
        if is_retried:
            self.retried.append(path)

        async def call(wire: bytes, metadata: Metadata, timeout: float) -> CallResult:  # noqa: ASYNC109
            self.wires.append(wire)
            return CallResult(wire=self._wire)

        return call

    def stream(self, path: str, *, is_retried: bool = False) -> OpenStream:
        self.paths.append(path)

        def open_stream(metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
            raise TranscodeError(UNIMPLEMENTED, "no streams here")

        return open_stream


def compiled(settings: Config, schema: Schema | None, **more: Any) -> BackendRoutes:
    keys: dict[str, Any] = {"calls": Calls(), "verifier": None, **more}
    return BackendCompiler(backend="shop", config=settings, **keys).compile(schema)


def only(routes: BackendRoutes) -> Route:
    (one,) = routes.configured.values()
    return one


def sent(one: Route, body: bytes = b"", captures: Sequence[str] = ("7",), query: str = "") -> Any:
    """The request message the backend would get."""
    assert one.plan is not None
    request_type = Compiled.from_protos(PROTOS).type(one.plan.binding.method.request)
    answered(one, body, captures, query)
    return request_type.FromString(Calls.wires[-1])


def answered(one: Route, body: bytes = b"", captures: Sequence[str] = ("7",), query: str = "") -> Reply:
    """The answer to a request for the route."""
    assert one.plan is not None
    ctx = request(one.info.http_method, f"/?{query}", body)
    reply = asyncio.run(one.plan.exchange(ctx, captures, (), lambda: 1.0))
    assert isinstance(reply, Reply)
    return reply


def test_route_is_compiled_to_the_call_of_its_method(schema: Schema) -> None:
    calls = Calls()
    one = only(compiled(config(route()), schema, calls=calls))
    assert (one.info.name, one.info.http_method, one.info.template) == ("get", "GET", "/o/{id}")
    assert (one.info.backend, one.info.method, one.info.origin) == ("shop", "shop.v1.Orders/Get", "config")
    assert (one.problem, one.notes) == (None, ())
    assert one.plan is not None
    assert one.plan.path_fields == ("id",)
    assert calls.paths == ["/shop.v1.Orders/Get"]
    request_message = sent(one, captures=["7"], query="filter.name=x")
    assert (request_message.id, request_message.filter.name) == ("7", "x")


def test_route_waits_for_the_schema() -> None:
    one = only(compiled(config(route(timeout="2s")), None))
    assert (one.plan, one.problem) == (None, None)
    assert one.info.method == "Orders/Get"
    assert one.timeout == 2
    metadata = one.metadata(request(), ("7",))
    assert ("x-path-id", "7") in list(metadata)


def test_nothing_is_exposed_without_a_schema() -> None:
    routes = compiled(config(expose=["methods", "annotations"]), None)
    assert (routes.configured, routes.exposed, routes.schema) == ({}, (), None)


def test_routes_of_other_backends_are_not_compiled(schema: Schema) -> None:
    settings = config(route(name="other", service="other"), route())
    assert [one.info.name for one in compiled(settings, schema).configured.values()] == ["get"]
    assert list(compiled(settings, schema).configured) == [1]


@pytest.mark.parametrize(
    ("keys", "fields", "notes"),
    [
        ({"path": "/o/{key}", "params": {"key": "id"}}, ("id",), ()),
        ({"path": "/o/{key}", "params": {"key": "filter.name"}}, ("filter.name",), ()),
        ({"path": "/o/{filter.name}"}, ("filter.name",), ()),
        (
            {"path": "/o/{tenant}/{id}"},
            (None, "id"),
            ("path variable 'tenant' names no field of shop.v1.Ask: sent as metadata only",),
        ),
        (
            {"params": {"key": "id", "also": "id"}},
            ("id",),
            (
                "params names 'also', which is no variable of /o/{id}",
                "params names 'key', which is no variable of /o/{id}",
            ),
        ),
    ],
)
def test_params(
    schema: Schema, keys: dict[str, Any], fields: tuple[str | None, ...], notes: tuple[str, ...]
) -> None:
    one = only(compiled(config(route(**keys)), schema))
    assert one.problem is None
    assert one.plan is not None
    assert one.plan.path_fields == fields
    assert one.notes == notes


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"grpc_service": "Nothing"}, "no service 'Nothing'"),
        ({"grpc_method": "Nothing"}, "service 'shop.v1.Orders' has no method 'Nothing'"),
        ({"method": "POST", "body": "nothing"}, "nothing"),
        ({"response_body": "nothing"}, "nothing"),
        ({"path": "/o/{id.x}"}, "id"),
        ({"path": "/o/{filter}"}, "filter"),
        ({"path": "/o/{tags}"}, "tags"),
        ({"params": {"id": "nothing"}}, "nothing"),
    ],
)
def test_route_that_cannot_be_served_says_why(schema: Schema, keys: dict[str, Any], problem: str) -> None:
    routes = compiled(config(route(**keys), route(name="good")), schema)
    bad, good = routes.configured.values()
    assert bad.plan is None
    assert problem in str(bad.problem)
    assert good.plan is not None


def test_response_body(schema: Schema) -> None:
    settings = config(route(response_body="items"))
    full, empty = (
        only(compiled(settings, schema, calls=Calls(wire))) for wire in (b"\x0a\x017\x1a\x01a\x1a\x01b", b"")
    )
    assert answered(full).body == b'["a","b"]'
    assert answered(empty).body == b"[]"


def test_body_rule(schema: Schema) -> None:
    put = route(name="put", method="PUT", grpc_method="Put")
    whole, field, none = compiled(
        config(put, {**put, "body": "note"}, {**put, "body": ""}), schema
    ).configured.values()
    assert sent(whole, b'{"note":"n"}', ["7"], "note=q").note == "n"
    assert sent(field, b'"n"', ["7"]).note == "n"
    assert sent(none, b"ignored", ["7"], "note=q").note == "q"
    assert {sent(one, b'""', ["7"]).id for one in (field, none)} == {"7"}


def test_json_options_of_a_route_come_before_those_of_the_gateway(schema: Schema) -> None:
    plain = route()
    own = route(name="own", path="/own/{id}", json={"always_print_fields": False, "enums_as_ints": True})
    found = compiled(config(plain, own, json={"always_print_fields": True}), schema).configured.values()
    assert [answered(one).body for one in found] == [b'{"id":"","note":"","items":[]}', b"{}"]
    assert [one.plan.json.enums_as_ints for one in found if one.plan] == [False, True]


def test_json_options_reach_the_codec(schema: Schema) -> None:
    settings = config(route(method="POST"), json={"always_print_fields": True, "unknown_fields": "ignore"})
    one = only(compiled(settings, schema))
    assert one.plan is not None
    assert answered(one).body == b'{"id":"","note":"","items":[]}'
    assert sent(one, b'{"x":1}', ["7"]).id == "7"


@pytest.mark.parametrize(
    ("of_route", "of_service", "of_server", "expected"),
    [
        (None, "10s", "20s", 10),
        (None, "20s", "10s", 10),
        ("5s", "20s", "10s", 5),
        ("50s", "20s", "10s", 10),
        ("50s", "20s", "30s", 20),
        (None, None, None, 30),
    ],
)
def test_smallest_timeout_counts(
    schema: Schema, of_route: str | None, of_service: str | None, of_server: str | None, expected: float
) -> None:
    settings = config(
        route(timeout=of_route),
        expose=["methods"],
        service={"timeout": of_service},
        server={"request_timeout": of_server},
    )
    routes = compiled(settings, schema)
    assert only(routes).timeout == expected
    ceilings = [float(text.removesuffix("s")) for text in (of_service, of_server) if text]
    assert routes.exposed[0].timeout == min(ceilings, default=30)


def test_metadata_of_a_route(schema: Schema) -> None:
    settings = config(
        route(),
        service={"metadata": {"x-key": "k"}},
        server={"forward_headers": ["x-tenant"], "trusted_proxies": ["10.0.0.0/8"]},
    )
    headers = [("x-tenant", "t"), ("x-forwarded-host", "public")]
    metadata = list(
        only(compiled(settings, schema)).metadata(request(headers=headers, peer="10.0.0.1"), ["7"])
    )
    assert metadata[:3] == [("x-key", "k"), ("x-tenant", "t"), ("x-path-id", "7")]
    assert ("x-forwarded-host", "public") in metadata


async def test_guards_run_in_order(schema: Schema) -> None:
    """Who it is comes before what they may do."""
    settings = config(route(require={"roles": ["admin"], "scopes": ["read"]}), auth=AUTH)
    one = only(compiled(settings, schema, verifier=Verifier(roles=["user"])))
    assert one.auth_required
    assert one.require.roles == ("admin",)

    async def refusal(*headers: tuple[str, str], verifier: Verifier) -> TranscodeError | None:
        guards = only(compiled(settings, schema, verifier=verifier)).guards
        assert len(guards) == 2
        try:
            ctx = request(headers=headers)
            for guard in guards:
                await guard(ctx)
        except TranscodeError as error:
            return error
        assert ctx.principal is not None
        return None

    token = ("authorization", "Bearer x")
    nobody = await refusal(verifier=Verifier(["admin"], ["read"]))
    assert nobody is not None
    assert nobody.kind is UNAUTHENTICATED
    for verifier in (Verifier(["user"], ["read"]), Verifier(["admin"], [])):
        stranger = await refusal(token, verifier=verifier)
        assert stranger is not None
        assert stranger.kind is PERMISSION_DENIED
    assert await refusal(token, verifier=Verifier(["admin"], ["read", "write"])) is None


@pytest.mark.parametrize(
    ("settings", "routes", "exposed"),
    [
        ({}, (False, False), False),
        ({"auth": AUTH}, (True, True), True),
        ({"auth": AUTH, "service": {"auth_required": False}}, (True, True), False),
        ({"auth": AUTH, "first": {"auth_required": False}}, (False, True), True),
    ],
)
def test_who_needs_a_token(
    schema: Schema, settings: dict[str, Any], routes: tuple[bool, ...], exposed: bool
) -> None:
    first = settings.pop("first", {}) if "first" in settings else {}
    made = config(route(**first), route(name="b"), expose=["methods"], **settings)
    found = compiled(made, schema, verifier=Verifier())
    assert tuple(one.auth_required for one in found.configured.values()) == routes
    assert tuple(len(one.guards) == 1 for one in found.configured.values()) == routes
    assert {one.auth_required for one in found.exposed} == {exposed}
    assert {len(one.guards) for one in found.exposed} == {int(exposed)}


class Counters:
    """Counters that have room for no one."""

    def __init__(self) -> None:
        self.rates: list[str] = []

    def count_of(self, rate: Rate) -> Count:
        self.rates.append(str(rate))

        async def count(_key: str) -> float | None:
            return 1.0

        return count


async def test_limit_is_the_last_guard(schema: Schema) -> None:
    """Who may not ask is told so, and not counted."""
    settings = config(route(require={"roles": ["admin"]}, rate_limit="1/day"), auth=AUTH)
    route_ = only(compiled(settings, schema, verifier=Verifier(["admin"]), counters=Counters()))
    assert len(route_.guards) == 3
    ctx = request(headers=[("authorization", "Bearer x")])
    for guard in route_.guards[:2]:
        await guard(ctx)
    with pytest.raises(TranscodeError) as caught:
        await route_.guards[2](ctx)
    assert caught.value.kind is RESOURCE_EXHAUSTED


def test_limits_of_routes(schema: Schema) -> None:
    counters = Counters()
    settings = config(
        route(rate_limit="1/second"),
        route(name="b", path="/b"),
        expose=["methods"],
        rate_limits={"default": "5/day"},
    )
    found = compiled(settings, schema, counters=counters)
    assert counters.rates == ["1/second", "5/day", *["5/day"] * len(found.exposed)]
    assert {len(one.guards) for one in (*found.configured.values(), *found.exposed)} == {1}


def test_without_limits_there_is_no_guard(schema: Schema) -> None:
    found = compiled(config(route(), expose=["methods"]), schema, counters=Counters())
    assert {one.guards for one in (*found.configured.values(), *found.exposed)} == {()}


async def test_api_key_is_asked_for(schema: Schema) -> None:
    keys = ApiKeys(header="x-key", principals={sha256(b"k").digest(): Principal(user_id="u")})
    api_key = {"name": "n", "user_id": "u", "hash": f"sha256:{'0' * 64}"}
    route_ = only(compiled(config(route(), auth={"api_keys": [api_key]}), schema, api_keys=keys))
    ctx = request(headers=[("x-key", "k")])
    (guard,) = route_.guards
    await guard(ctx)
    assert ctx.principal is not None
    assert ctx.principal.user_id == "u"


def test_route_that_needs_a_token_is_never_open(schema: Schema) -> None:
    """The configuration refuses such a route; should that fail, nothing is served rather than everything."""
    with pytest.raises(AssertionError, match="callers nobody knows"):
        compiled(config(route(auth_required=True)), schema)


def test_exposed_methods(schema: Schema) -> None:
    routes = compiled(config(expose=["methods"]), schema)
    assert [(one.info.http_method, one.info.template, one.info.method) for one in routes.exposed] == [
        ("POST", "/shop.v1.Orders/Get", "shop.v1.Orders/Get"),
        ("POST", "/shop.v1.Orders/Put", "shop.v1.Orders/Put"),
        ("POST", "/shop.v1.Orders/Watch", "shop.v1.Orders/Watch"),
        ("POST", "/shop.v1.Orders/Load", "shop.v1.Orders/Load"),
        ("POST", "/shop.v1.Orders/Chat", "shop.v1.Orders/Chat"),
    ]
    assert {one.info.origin for one in routes.exposed} == {"methods"}
    assert routes.skipped == ()


def test_streams_have_no_deadline_but_that_of_their_route(schema: Schema) -> None:
    bounded = route(name="bounded", grpc_method="Watch", timeout="5s")
    routes = compiled(config(route(grpc_method="Watch"), bounded, expose=["methods"]), schema)
    assert [one.timeout for one in routes.configured.values()] == [math.inf, 5.0]
    assert [one.timeout for one in routes.exposed] == [30.0, 30.0, math.inf, math.inf, math.inf]


def test_exposed_annotations(schema: Schema) -> None:
    routes = compiled(config(expose=["annotations"]), schema)
    assert [(one.info.http_method, one.info.template, one.info.origin) for one in routes.exposed] == [
        ("GET", "/v1/orders/{id}", "annotations"),
        ("PUT", "/v1/orders/{id}", "annotations"),
        ("GET", "/v1/watch", "annotations"),
    ]
    (bad,) = routes.skipped
    assert bad.startswith("shop.v1.Orders/Get: GET /bad/{: path template '/bad/{'")


def test_exposed_only_when_asked(schema: Schema) -> None:
    assert compiled(config(), schema).exposed == ()


def snapshot(settings: Config, **schemas: Schema | None) -> Snapshot:
    routes = {
        name: BackendCompiler(backend=name, config=settings, calls=Calls(), verifier=None).compile(schema)
        for name, schema in schemas.items()
    }
    return compile_snapshot(7, settings, routes)


def two_backends(*routes: dict[str, Any], expose: Sequence[str] = ("methods",)) -> Config:
    service = {"address": "localhost:1", "expose": list(expose)}
    return Config.model_validate({"services": {"shop": service, "twin": service}, "routes": list(routes)})


def test_routes_of_the_configuration_win_in_their_order(schema: Schema) -> None:
    taken = "/shop.v1.Orders/Get"
    settings = two_backends(
        route(name="a", service="twin", path="/x/{id}"),
        route(name="b", path="/x/{key}"),
        route(name="c", method="POST", path=taken),
    )
    found = snapshot(settings, shop=schema, twin=schema)
    assert found.generation == 7
    assert [one.info.name for one in found.routes][:3] == ["a", "b", "c"]
    assert found.table.match("GET", "/x/7")[0].info.name == "a"
    assert found.table.match("POST", taken)[0].info.name == "c"
    assert found.table.match("POST", "/shop.v1.Orders/Put")[0].info.backend == "shop"
    problems = [problem for problem in found.problems() if "is taken by" in problem]
    assert problems == [
        "b: GET /x/{key} is taken by a (/x/{id})",
        f"shop.v1.Orders/Get (methods): POST {taken} is taken by c ({taken})",
        f"shop.v1.Orders/Get (methods): POST {taken} is taken by c ({taken})",
        *(
            f"shop.v1.Orders/{name} (methods): POST /shop.v1.Orders/{name}"
            f" is taken by shop.v1.Orders/{name} (methods) (/shop.v1.Orders/{name})"
            for name in ("Put", "Watch", "Load", "Chat")
        ),
    ]


def test_order_of_the_configuration_counts_across_backends(schema: Schema) -> None:
    settings = two_backends(
        route(name="one", service="twin"), route(name="two"), route(name="three", service="twin"), expose=()
    )
    found = snapshot(settings, shop=schema, twin=None)
    assert [one.info.name for one in found.routes] == ["one", "two", "three"]


def test_route_that_cannot_be_served_keeps_its_place(schema: Schema) -> None:
    """Else requests would go elsewhere whenever a backend is deployed without a method."""
    settings = two_backends(
        route(name="specific", path="/o/special", grpc_method="Gone"), route(name="any"), expose=()
    )
    found = snapshot(settings, shop=schema, twin=None)
    assert found.table.match("GET", "/o/special")[0].problem is not None
    assert found.table.match("GET", "/o/7")[0].info.name == "any"


def test_problems_are_all_said(schema: Schema) -> None:
    settings = two_backends(
        route(name="gone", grpc_method="Gone"), route(name="noted", path="/p/{tenant}"), expose=["methods"]
    )
    problems = list(snapshot(settings, shop=schema, twin=None).problems())
    assert problems[0].startswith("gone: service 'shop.v1.Orders' has no method 'Gone'")
    assert problems[1].startswith("noted: path variable 'tenant' names no field")
    assert problems[2:] == []


def test_empty_snapshot_answers_nothing() -> None:
    found = compile_snapshot(0, Config(), {})
    assert list(found.problems()) == []
    with pytest.raises(TranscodeError) as caught:
        found.table.match("GET", "/")
    assert caught.value.kind is NOT_FOUND


def test_a_stream_ends_with_an_error_record_in_every_format(schema: Schema) -> None:
    """An error of google's format alone could be taken for a message."""
    for kind, record in (("gateway", '{"error":{"code":"ABORTED"'), ("google", '{"error":{"code":10')):
        calls = BrokenStreams()
        one = only(compiled(config(route(grpc_method="Watch"), errors={"format": kind}), schema, calls=calls))
        assert all_frames(one).decode().splitlines()[-1].startswith(record)


class BrokenStreams(Calls):
    """Streams of one message and an error."""

    def stream(self, path: str, *, is_retried: bool = False) -> OpenStream:
        def open_stream(metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
            return Script(b"", TranscodeError(ABORTED, "enough"))

        return open_stream


def all_frames(one: Route) -> bytes:
    """All a stream of the route answers."""

    async def frames() -> bytes:
        assert one.plan is not None
        reply = await one.plan.exchange(request("GET", "/"), ("7",), (), lambda: 1.0)
        assert isinstance(reply, StreamReply)
        body = b"".join([frame async for frame in reply.frames])
        await reply.close()
        return body

    return asyncio.run(frames())
