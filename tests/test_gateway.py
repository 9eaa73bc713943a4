"""The gateway: requests through a snapshot, and snapshots through reloads and schema changes.

Schemas come from descriptor sets and calls from a fake, unless a test needs real servers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import current_thread, main_thread
from typing import Any

import pytest
from google.rpc.status_pb2 import Status

from tests.plan.requests import request
from tests.support.backend import REFLECTION_V1, Answer, Call, RecordingBackend
from tests.support.events import Events
from tests.support.orders import ROUTE
from tests.support.protos import Schema as Compiled
from tests.support.tokens import SECRET, bearer
from transcoder import gateway as module
from transcoder.backend.backend import Backend
from transcoder.backend.connection import Connection
from transcoder.collector import THRESHOLDS, Freezer
from transcoder.config.model import Config
from transcoder.context import CallResult, Metadata, Reply, UnaryCall
from transcoder.errors import (
    INTERNAL_ERROR,
    NOT_FOUND,
    SERVICE_UNAVAILABLE,
    UNIMPLEMENTED,
    ConfigError,
    TranscodeError,
)
from transcoder.gateway import Gateway
from transcoder.resilience.storage import RateStorage
from transcoder.security.verifier import Verifier

OLD = """
    syntax = "proto3"; package shop;
    service Orders { rpc Get(Order) returns (Order); }
    message Order { string id = 1; int32 count = 2; string note = 3; }
"""
NEW = """
    syntax = "proto3"; package shop;
    service Orders { rpc Get(Order) returns (Order); rpc Put(Order) returns (Order); }
    message Order { string id = 1; int32 amount = 2; string note = 3; }
"""
GET = "/shop.Orders/Get"


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    backend: str
    path: str
    wire: bytes
    metadata: Metadata
    timeout: float


class Network:
    """Stands for every connection: records calls and answers them."""

    def __init__(self) -> None:
        self.calls: list[Called] = []
        self.answer: Callable[[Called], Awaitable[CallResult]] | CallResult | Exception = CallResult(wire=b"")

    def unary(self, backend: str, path: str) -> UnaryCall:
        async def call(wire: bytes, metadata: Metadata, timeout: float) -> CallResult:  # noqa: ASYNC109
            called = Called(backend=backend, path=path, wire=wire, metadata=metadata, timeout=timeout)
            self.calls.append(called)
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer if isinstance(self.answer, CallResult) else await self.answer(called)

        return call


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    one = Network()
    monkeypatch.setattr(Connection, "unary", lambda self, path, **_: one.unary(self._name, path))
    return one


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def gateway(events: Events, clock: Clock) -> AsyncIterator[Gateway]:
    one = Gateway(log=events, clock=clock)
    yield one
    await one.close(0)


@pytest.fixture
async def real_gateway(events: Events) -> AsyncIterator[Gateway]:
    """With the clock of the system."""
    one = Gateway(log=events)
    yield one
    await one.close(0)


@pytest.fixture
def schema_file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.binpb"
    write_schema(path, OLD)
    return path


def write_schema(path: Path, proto: str) -> None:
    path.write_bytes(Compiled.from_protos(proto).files.SerializeToString())


def route(**keys: Any) -> dict[str, Any]:
    return {**ROUTE, **keys}


def service(schema_file: Path, **keys: Any) -> dict[str, Any]:
    return {"address": "localhost:1", "descriptor_set": str(schema_file), **keys}


def config(
    schema_file: Path, *routes: dict[str, Any], shop: dict[str, Any] | None = None, **more: Any
) -> Config:
    document = {"services": {"shop": service(schema_file, **(shop or {}))}, "routes": list(routes), **more}
    return Config.model_validate(document)


AUTH = {"issuers": [{"name": "main", "algorithms": ["HS256"], "secret": SECRET}]}


def error_of(reply: Reply) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(reply.body)["error"]
    return error


async def test_the_way_of_a_request(gateway: Gateway, network: Network, schema_file: Path) -> None:
    asked = route(
        method="POST", body="note", timeout="5s", require={"roles": ["admin"]}, path="/t/{tenant}/orders/{id}"
    )
    await gateway.apply(
        config(
            schema_file,
            asked,
            shop={"metadata": {"x-key": "k"}},
            auth=AUTH | {},
            server={"forward_headers": ["x-a"]},
        )
    )
    network.answer = CallResult(wire=b"\x0a\x017\x10\x05", metadata=[("x-http-code", "201"), ("x-b", "2")])
    ctx = request(
        "POST",
        "/t/acme/orders/7?count=3",
        b'"n"',
        headers=[*bearer(roles=["admin"], email="u@x").items(), ("x-a", "1"), ("x-user-id", "evil")],
    )
    reply = await gateway.handle(ctx)
    assert (reply.status, reply.body, reply.content_type) == (
        201,
        b'{"id":"7","count":5}',
        "application/json",
    )
    assert (reply.headers, reply.code, reply.reason) == ((("x-b", "2"),), "OK", None)
    (call,) = network.calls
    assert (call.backend, call.path, call.timeout) == ("shop", GET, 5)
    message = Compiled.from_protos(OLD).type("shop.Order").FromString(call.wire)
    assert (message.id, message.count, message.note) == ("7", 3, "n")
    assert list(call.metadata)[:6] == [
        ("x-key", "k"),
        ("x-a", "1"),
        ("x-user-id", "user-1"),
        ("x-user-email", "u@x"),
        ("x-path-tenant", "acme"),
        ("x-path-id", "7"),
    ]
    assert ctx.principal is not None
    assert ctx.route is not None
    assert (ctx.route.template, ctx.route.method) == ("/t/{tenant}/orders/{id}", "shop.Orders/Get")


async def test_before_any_configuration(gateway: Gateway) -> None:
    reply = await gateway.handle(request())
    assert (reply.status, error_of(reply)["code"]) == (404, "NOT_FOUND")


async def test_no_route_and_wrong_method(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    assert (await gateway.handle(request("GET", "/nothing"))).status == 404
    reply = await gateway.handle(request("POST", "/orders/7"))
    assert (reply.status, reply.headers) == (405, (("allow", "GET, HEAD"),))
    assert (await gateway.handle(request("GET", "/orders/%zz"))).status == 400
    assert (await gateway.handle(request("HEAD", "/orders/7"))).status == 200
    assert len(network.calls) == 1


async def test_nobody_reaches_a_backend_without_a_token(
    gateway: Gateway, network: Network, schema_file: Path
) -> None:
    """Not even its schema: else strangers could make the gateway look."""
    await gateway.apply(config(schema_file, route(), auth=AUTH))
    reply = await gateway.handle(request("GET", "/orders/7", headers=[("x-request-timeout", "malformed")]))
    assert (reply.status, error_of(reply)["code"]) == (401, "UNAUTHENTICATED")
    assert ("www-authenticate", "Bearer") in reply.headers
    assert gateway.backends["shop"].schema is None
    stranger = bearer("another secret of thirty-two bytes or more").items()
    assert (await gateway.handle(request("GET", "/orders/7", headers=stranger))).status == 401
    assert (await gateway.handle(request("GET", "/orders/7", headers=bearer().items()))).status == 200
    assert len(network.calls) == 1


async def test_role_that_is_missing(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route(require={"roles": ["admin"]}), auth=AUTH))
    reply = await gateway.handle(request("GET", "/orders/7", headers=bearer().items()))
    assert (reply.status, error_of(reply)["code"]) == (403, "PERMISSION_DENIED")
    assert network.calls == []


async def test_concurrent_first_requests_resolve_once(real_gateway: Gateway) -> None:
    async with RecordingBackend(Compiled.from_protos(OLD)) as backend:
        document = {"services": {"shop": {"address": backend.address}}, "routes": [route()]}
        await real_gateway.apply(Config.model_validate(document))
        replies = await asyncio.gather(
            *(real_gateway.handle(request("GET", f"/orders/{n}")) for n in range(50))
        )
        assert {reply.status for reply in replies} == {200}
        assert [call.method for call in backend.reflection_calls] == [REFLECTION_V1]
        assert sorted(int(call.message.id) for call in backend.calls) == list(range(50))


async def test_backend_that_cannot_be_read(gateway: Gateway, tmp_path: Path) -> None:
    missing = tmp_path / "missing.binpb"
    await gateway.apply(config(missing, route()))
    reply = await gateway.handle(request("GET", "/orders/7"))
    assert (reply.status, error_of(reply)["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert error_of(reply)["message"] == "service unavailable"
    assert str(missing) in str(reply.reason)


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    named: list[str] = []
    monkeypatch.setattr(Backend, "hint", lambda self: named.append(self.name))
    return named


async def test_route_to_a_missing_method(
    gateway: Gateway, network: Network, schema_file: Path, hints: list[str], events: Events
) -> None:
    await gateway.apply(config(schema_file, route(name="put", grpc_method="Put")))
    for _ in range(2):
        reply = await gateway.handle(request("GET", "/orders/7"))
        assert (reply.status, error_of(reply)["code"]) == (501, "UNIMPLEMENTED")
        assert error_of(reply)["message"] == "the backend has no such method"
        assert "has no method 'Put'" in str(reply.reason)
    assert hints == ["shop", "shop"]
    assert network.calls == []
    (problem,) = events.named("route not served")
    assert problem.fields["problem"].startswith("put: service 'shop.Orders' has no method 'Put'")


async def test_method_that_is_gone_hints_at_another_schema(
    gateway: Gateway, network: Network, schema_file: Path, hints: list[str]
) -> None:
    await gateway.apply(config(schema_file, route()))
    network.answer = TranscodeError(NOT_FOUND, "no such order")
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 404
    assert hints == []
    network.answer = TranscodeError(UNIMPLEMENTED, "unknown method")
    reply = await gateway.handle(request("GET", "/orders/7"))
    assert (reply.status, error_of(reply)["message"]) == (501, "unknown method")
    assert hints == ["shop"]


async def test_error_of_a_backend(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    status = Status(code=5)
    status.details.add(type_url="type.googleapis.com/shop.Order", value=b"\x0a\x017")
    network.answer = TranscodeError(
        NOT_FOUND, "no such order", status_details=status.SerializeToString(), metadata=[("x-b", "2")]
    )
    reply = await gateway.handle(request("GET", "/orders/7", request_id="r1"))
    assert reply.status == 404
    assert error_of(reply) == {
        "code": "NOT_FOUND",
        "message": "no such order",
        "request_id": "r1",
        "details": [{"@type": "type.googleapis.com/shop.Order", "id": "7"}],
    }
    assert reply.headers == (("x-b", "2"),)


async def test_bad_request_calls_nobody(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    for ctx in (
        request("GET", "/orders/7?count=x"),
        request("GET", "/orders/7", headers=[("grpc-timeout", "1")]),
        request("GET", "/orders/7", headers=[("tracestate", "\x00")]),
    ):
        reply = await gateway.handle(ctx)
        assert (reply.status, error_of(reply)["code"]) == (400, "INVALID_ARGUMENT")
    assert network.calls == []


async def test_response_without_a_json_form(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    network.answer = CallResult(wire=b"\xff\xff")
    reply = await gateway.handle(request("GET", "/orders/7"))
    assert (reply.status, error_of(reply)["message"]) == (500, "internal error")


async def test_bug_is_logged_and_not_shown(
    gateway: Gateway, network: Network, schema_file: Path, events: Events
) -> None:
    await gateway.apply(config(schema_file, route()))
    bug = RuntimeError("secret of 10.0.0.1")
    network.answer = bug
    reply = await gateway.handle(request("GET", "/orders/7", request_id="r1"))
    assert (reply.status, reply.code) == (500, INTERNAL_ERROR.name)
    assert error_of(reply) == {"code": "INTERNAL_ERROR", "message": "internal error", "request_id": "r1"}
    assert reply.reason == "RuntimeError('secret of 10.0.0.1')"
    (logged,) = events.named("unexpected error")
    assert (logged.level, logged.fields) == ("error", {"request_id": "r1", "exc_info": bug})
    assert bug.__traceback__ is not None


async def test_cancelled_request_is_cancelled(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    arrived = asyncio.Event()

    async def never(_: Called) -> CallResult:
        arrived.set()
        await asyncio.Event().wait()
        return CallResult(wire=b"")

    network.answer = never
    waiting = asyncio.create_task(gateway.handle(request("GET", "/orders/7")))
    await asyncio.wait_for(arrived.wait(), 5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(("header", "expected"), [(None, 5), ("2", 2), ("60", 5), ("0", 0)])
async def test_smallest_deadline_counts(
    gateway: Gateway, network: Network, schema_file: Path, header: str | None, expected: float
) -> None:
    await gateway.apply(config(schema_file, route(timeout="5s")))
    headers = [] if header is None else [("x-request-timeout", header)]
    await gateway.backends["shop"].current_schema()
    await gateway.handle(request("GET", "/orders/7", headers=headers))
    assert [call.timeout for call in network.calls] == [expected]


async def test_a_request_has_one_deadline(
    gateway: Gateway, network: Network, schema_file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the schema and the token have cost is not there for the call."""
    await gateway.apply(config(schema_file, route(timeout="5s"), auth=AUTH))
    verify, read = Verifier.verify, Backend.current_schema

    async def slow_verify(self: Verifier, authorization: Any) -> Any:
        clock.now += 0.5
        return await verify(self, authorization)

    async def slow_read(self: Backend) -> Any:
        clock.now += 1
        return await read(self)

    monkeypatch.setattr(Verifier, "verify", slow_verify)
    monkeypatch.setattr(Backend, "current_schema", slow_read)
    await gateway.handle(request("GET", "/orders/7", headers=bearer().items()))
    assert [call.timeout for call in network.calls] == [3.5]


async def test_deadline_holds_while_the_schema_is_read(real_gateway: Gateway) -> None:
    async def silent(call: Call) -> Answer:
        await asyncio.Event().wait()
        return Answer()

    async with RecordingBackend(Compiled.from_protos(OLD), {REFLECTION_V1: silent}) as backend:
        document = {"services": {"shop": {"address": backend.address}}, "routes": [route()]}
        await real_gateway.apply(Config.model_validate(document))
        headers = [("x-request-timeout", "0.1")]
        reply = await real_gateway.handle(request("GET", "/orders/7", headers=headers))
        assert (reply.status, error_of(reply)["code"]) == (504, "TIMEOUT")
        assert reply.reason == "while reading the schema"
        assert backend.calls == []


async def test_new_method_is_served_after_a_look(
    gateway: Gateway, network: Network, schema_file: Path
) -> None:
    await gateway.apply(
        config(schema_file, route(name="put", grpc_method="Put"), shop={"expose": ["methods"]})
    )
    backend = gateway.backends["shop"]
    await backend.refresh()
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 501
    assert (await gateway.handle(request("POST", "/shop.Orders/Put", b"{}"))).status == 404
    before = gateway.snapshot
    write_schema(schema_file, NEW)
    await backend.refresh()
    assert gateway.snapshot is not before
    assert gateway.snapshot.generation == before.generation + 1
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 200
    assert (await gateway.handle(request("POST", "/shop.Orders/Put", b'{"amount":1}'))).status == 200
    assert [call.path for call in network.calls] == ["/shop.Orders/Put"] * 2


async def test_unchanged_schema_swaps_nothing(gateway: Gateway, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    await gateway.backends["shop"].refresh()
    before = gateway.snapshot
    await gateway.backends["shop"].refresh()
    assert gateway.snapshot is before


async def test_no_request_sees_two_generations(gateway: Gateway, network: Network, schema_file: Path) -> None:
    """Field 2 is renamed while calls are under way: each is read and printed by one schema."""
    await gateway.apply(config(schema_file, route()))
    await gateway.backends["shop"].refresh()
    arrived, go = asyncio.Semaphore(0), asyncio.Event()

    async def held(_: Called) -> CallResult:
        arrived.release()
        await go.wait()
        return CallResult(wire=b"\x10\x05")

    network.answer = held
    before = asyncio.create_task(gateway.handle(request("GET", "/orders/7?count=1")))
    await asyncio.wait_for(arrived.acquire(), 5)
    write_schema(schema_file, NEW)
    await gateway.backends["shop"].refresh()
    after = asyncio.create_task(gateway.handle(request("GET", "/orders/7?amount=1")))
    await asyncio.wait_for(arrived.acquire(), 5)
    go.set()
    assert (await before).body == b'{"count":5}'
    assert (await after).body == b'{"amount":5}'
    assert network.calls[0].wire == network.calls[1].wire


async def test_swap_under_load_fails_nothing(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    await gateway.backends["shop"].refresh()
    network.answer = CallResult(wire=b"\x10\x05")
    is_over = asyncio.Event()
    bodies: set[bytes] = set()

    async def load() -> None:
        while not is_over.is_set():
            reply = await gateway.handle(request("GET", "/orders/7"))
            assert reply.status == 200
            bodies.add(reply.body)
            await asyncio.sleep(0)

    loads = [asyncio.create_task(load()) for _ in range(4)]
    for proto in (NEW, OLD, NEW):
        write_schema(schema_file, proto)
        await gateway.backends["shop"].refresh()
    is_over.set()
    await asyncio.gather(*loads)
    assert bodies <= {b'{"count":5}', b'{"amount":5}'}


async def test_new_generation_is_not_looked_through(tmp_path: Path) -> None:
    """However many objects it has: for that long, nobody would be answered."""
    methods = "\n".join(f"rpc M{n}(A{n}) returns (A{n});" for n in range(200))
    messages = "\n".join(f"message A{n} {{ string id = 1; }}" for n in range(200))
    path = tmp_path / "wide.binpb"
    write_schema(path, f'syntax = "proto3"; package wide; service S {{ {methods} }} {messages}')
    looks: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            looks.append(len(gc.get_objects(info["generation"])))

    freezer = Freezer()
    with freezer.on():
        gateway = Gateway(log=Events(), build=freezer.build)
        gc.callbacks.append(note)
        try:
            await gateway.apply(config(path, shop={"expose": ["methods"]}))
            await gateway.settled()
            assert len(gateway.snapshot.routes) == 200
            gc.collect(0)
        finally:
            gc.callbacks.remove(note)
            await gateway.close(0)
    assert max(looks) < 2 * THRESHOLDS[0]


async def test_old_generation_is_let_go_beside_the_event_loop(
    gateway: Gateway, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed: SimpleQueue[bool] = SimpleQueue()

    class Witness:
        def __del__(self) -> None:
            freed.put(current_thread() is main_thread())

    def unary(_connection: Connection, _path: str, **_: Any) -> Any:
        witness = Witness()
        return lambda *_: witness

    monkeypatch.setattr(Connection, "unary", unary)
    await gateway.apply(config(schema_file, route(), shop={"expose": ["methods"]}))
    await gateway.settled()
    write_schema(schema_file, NEW)
    await gateway.backends["shop"].refresh()
    await gateway.apply(Config())
    # of the old schema Get twice, of the new one Put, too
    assert [await asyncio.to_thread(freed.get, timeout=10) for _ in range(5)] == [False] * 5


async def test_old_generation_is_let_go_without_the_collector(
    gateway: Gateway, network: Network, schema_file: Path
) -> None:
    freed: SimpleQueue[bool] = SimpleQueue()
    await gateway.apply(config(schema_file, route(), shop={"expose": ["methods"]}))
    network.answer = CallResult(wire=b"\x10\x05")
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 200
    schema = gateway.backends["shop"].schema
    assert schema is not None
    weakref.finalize(schema.shapes, freed.put, True)
    del schema
    gc.disable()
    try:
        write_schema(schema_file, NEW)
        await gateway.backends["shop"].refresh()
        assert await asyncio.to_thread(freed.get, timeout=10)
    finally:
        gc.enable()


async def test_problems_are_logged_when_they_come(
    gateway: Gateway, schema_file: Path, events: Events
) -> None:
    settings = config(
        schema_file, route(), route(name="again"), route(name="put", path="/p", grpc_method="Put")
    )
    await gateway.apply(settings)
    await gateway.backends["shop"].refresh()
    await gateway.apply(settings)
    assert [one.fields["problem"].partition(":")[0] for one in events.named("route not served")] == [
        "again",
        "put",
    ]
    write_schema(schema_file, NEW)
    await gateway.backends["shop"].refresh()
    write_schema(schema_file, OLD)
    await gateway.backends["shop"].refresh()
    named = [one.fields["problem"].partition(":")[0] for one in events.named("route not served")]
    assert named == ["again", "put", "put"]


async def test_settled_waits_for_what_is_exposed(gateway: Gateway, schema_file: Path, tmp_path: Path) -> None:
    exposed = service(schema_file, expose=["methods"])
    document = {
        "services": {
            "good": exposed,
            "bad": {**exposed, "descriptor_set": str(tmp_path / "missing")},
            "unexposed": service(schema_file),
        }
    }
    await gateway.apply(Config.model_validate(document))
    await asyncio.wait_for(gateway.settled(), 5)
    assert gateway.backends["good"].schema is not None
    assert gateway.backends["bad"].last_error is not None
    assert gateway.backends["unexposed"].schema is None
    assert gateway.snapshot.table.match("POST", GET)[0].info.backend == "good"


async def test_settled_is_not_there_before_a_look(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = asyncio.Event()

    async def never(*_: Any) -> Any:
        looking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Backend, "_files", never)
    services = {"shop": {"address": "localhost:1", "expose": ["methods"]}}
    await gateway.apply(Config.model_validate({"services": services}))
    await asyncio.wait_for(looking.wait(), 5)
    settled = asyncio.create_task(gateway.settled())
    await asyncio.sleep(0)
    assert not settled.done()
    settled.cancel()


async def test_unchanged_backend_is_kept(gateway: Gateway, network: Network, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route()))
    await gateway.handle(request("GET", "/orders/7"))
    backend, generation = gateway.backends["shop"], gateway.snapshot.generation
    await gateway.apply(config(schema_file, route(path="/elsewhere/{id}")))
    assert gateway.backends["shop"] is backend
    assert gateway.snapshot.generation == generation + 1
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 404
    assert (await gateway.handle(request("GET", "/elsewhere/7"))).status == 200


async def test_changed_backend_keeps_its_schema_at_the_same_place(
    gateway: Gateway, network: Network, schema_file: Path, tmp_path: Path
) -> None:
    await gateway.apply(config(schema_file, route()))
    await gateway.handle(request("GET", "/orders/7"))
    old = gateway.backends["shop"]
    await gateway.apply(config(schema_file, route(), shop={"metadata": {"x-key": "k"}}))
    new = gateway.backends["shop"]
    assert new is not old
    assert new.schema is old.schema
    await gateway.handle(request("GET", "/orders/7"))
    assert next(iter(network.calls[-1].metadata)) == ("x-key", "k")
    elsewhere = tmp_path / "other.binpb"
    for change in ({"address": "localhost:2"}, {"descriptor_set": str(elsewhere)}):
        await gateway.apply(config(schema_file, route(), shop=change))
        assert gateway.backends["shop"].schema is None
        await gateway.apply(config(schema_file, route()))
        await gateway.backends["shop"].refresh()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[Backend]:
    queue: asyncio.Queue[Backend] = asyncio.Queue()
    close = Backend.close

    async def recorded(self: Backend, grace: float) -> None:
        await close(self, grace)
        queue.put_nowait(self)

    monkeypatch.setattr(Backend, "close", recorded)
    return queue


async def test_removed_backend_is_closed_later(
    gateway: Gateway,
    network: Network,
    schema_file: Path,
    closed: asyncio.Queue[Backend],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When no request can hold it any more; those under way end as if nothing had happened."""
    monkeypatch.setattr(module, "LINGER", 0)
    await gateway.apply(config(schema_file, route(), server={"request_timeout": "50ms"}))
    arrived, go = asyncio.Event(), asyncio.Event()

    async def held(_: Called) -> CallResult:
        arrived.set()
        await go.wait()
        return CallResult(wire=b"\x10\x05")

    network.answer = held
    waiting = asyncio.create_task(gateway.handle(request("GET", "/orders/7")))
    await asyncio.wait_for(arrived.wait(), 5)
    old = gateway.backends["shop"]
    await gateway.apply(Config())
    assert gateway.backends == {}
    assert closed.empty()
    go.set()
    assert (await waiting).body == b'{"count":5}'
    assert await asyncio.wait_for(closed.get(), 5) is old


async def test_requests_of_the_old_configuration_have_its_time(
    gateway: Gateway, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the new one allows less."""
    delays: list[float] = []

    async def delayed(self: Gateway, closing: Any, delay: float) -> None:
        delays.append(delay)

    monkeypatch.setattr(Gateway, "_close_later", delayed)
    await gateway.apply(config(schema_file, route(), server={"request_timeout": "1h"}))
    await gateway.apply(Config.model_validate({"server": {"request_timeout": "1s"}}))
    await asyncio.gather(*gateway._retiring)
    assert delays == [3600 + module.LINGER]


async def test_close_does_not_wait_for_what_retires(
    gateway: Gateway, schema_file: Path, closed: asyncio.Queue[Backend]
) -> None:
    await gateway.apply(config(schema_file, route()))
    old = gateway.backends["shop"]
    await gateway.apply(config(schema_file, route(), shop={"address": "localhost:2"}))
    new = gateway.backends["shop"]
    await asyncio.wait_for(gateway.close(0), 5)
    assert [closed.get_nowait() for _ in range(closed.qsize())] == [old, new]
    assert not [
        task for task in asyncio.all_tasks() if task.get_name().startswith(("retire", "keep", "read"))
    ]


async def test_bad_key_file_changes_nothing(
    gateway: Gateway, network: Network, schema_file: Path, tmp_path: Path
) -> None:
    await gateway.apply(config(schema_file, route()))
    before, backends = gateway.snapshot, dict(gateway.backends)
    issuer = {"name": "main", "algorithms": ["RS256"], "public_key_file": str(tmp_path / "missing.pem")}
    with pytest.raises(ConfigError, match=r"auth\.issuers"):
        await gateway.apply(config(schema_file, route(path="/new/{id}"), auth={"issuers": [issuer]}))
    assert gateway.snapshot is before
    assert gateway.backends == backends
    assert gateway.verifier is None
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 200


async def test_verifier_is_kept_while_nothing_about_it_changes(gateway: Gateway, schema_file: Path) -> None:
    await gateway.apply(config(schema_file, route(), auth=AUTH))
    first = gateway.verifier
    assert first is not None
    await gateway.apply(config(schema_file, route(path="/new/{id}"), auth=AUTH))
    assert gateway.verifier is first
    issuer = {**AUTH["issuers"][0], "secret": SECRET + "x"}
    await gateway.apply(config(schema_file, route(), auth={"issuers": [issuer]}))
    second = gateway.verifier
    assert second is not first
    reply = await gateway.handle(request("GET", "/orders/7", headers=bearer().items()))
    assert reply.status == 401
    await gateway.apply(config(schema_file, route()))
    assert gateway.verifier is None


async def test_what_was_counted_is_kept_while_nothing_about_limits_changes(
    gateway: Gateway, network: Network, schema_file: Path
) -> None:
    async def statuses() -> list[int]:
        return [(await gateway.handle(request("GET", "/orders/7"))).status for _ in range(2)]

    limits = {"default": "1/day"}
    assert gateway.counters is None
    await gateway.apply(config(schema_file, route(), rate_limits=limits))
    assert await statuses() == [200, 429]
    await gateway.apply(config(schema_file, route(timeout="5s"), rate_limits=limits))
    assert await statuses() == [429, 429]
    await gateway.apply(config(schema_file, route(), rate_limits={"default": "2/day"}))
    assert await statuses() == [200, 200]
    await gateway.apply(config(schema_file, route()))
    assert gateway.counters is None
    assert await statuses() == [200, 200]


async def test_counters_are_closed_when_they_are_not_used(
    gateway: Gateway, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: asyncio.Queue[RateStorage] = asyncio.Queue()
    make = RateStorage.from_config

    def from_config(*arguments: Any, **keys: Any) -> RateStorage:
        made = make(*arguments, **keys)

        async def close() -> None:
            closed.put_nowait(made)

        made.close = close
        return made

    monkeypatch.setattr(RateStorage, "from_config", from_config)
    await gateway.apply(config(schema_file, route(), rate_limits={"default": "1/day"}))
    first = gateway.counters
    await gateway.apply(config(schema_file, route(), rate_limits={"default": "2/day"}))
    second = gateway.counters
    await asyncio.wait_for(gateway.close(0), 5)
    assert [closed.get_nowait() for _ in range(closed.qsize())] == [first, second]


async def test_key_files_are_read_again(gateway: Gateway, schema_file: Path, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    path = tmp_path / "key.pem"
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    path.write_bytes(
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    issuer = {"name": "main", "algorithms": ["ES256"], "public_key_file": str(path)}
    settings = config(schema_file, route(), auth={"issuers": [issuer]})
    await gateway.apply(settings)
    first = gateway.verifier
    await gateway.apply(settings)
    assert gateway.verifier is not first


async def test_schema_of_a_replaced_backend_is_not_adopted(
    gateway: Gateway, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look of the old one ends after the new one has taken its place."""
    looking, go = asyncio.Event(), asyncio.Event()
    files = Backend._files

    async def held(self: Backend) -> Any:
        found = await files(self)
        if self.config.address == "localhost:1":
            looking.set()
            await go.wait()
        return found

    monkeypatch.setattr(Backend, "_files", held)
    await gateway.apply(config(schema_file, route()))
    old = gateway.backends["shop"]
    look = asyncio.create_task(old.refresh())
    await asyncio.wait_for(looking.wait(), 5)
    await gateway.apply(config(schema_file, route(), shop={"address": "localhost:2"}))
    snapshot = gateway.snapshot
    go.set()
    await look
    assert gateway.snapshot is snapshot
    assert gateway.backends["shop"].schema is None


async def test_route_that_is_dropped_while_it_waits(
    gateway: Gateway, schema_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request goes by the configuration that has come meanwhile."""
    verifying, go = asyncio.Event(), asyncio.Event()
    verify = Verifier.verify

    async def held(self: Verifier, authorization: Any) -> Any:
        verifying.set()
        await go.wait()
        return await verify(self, authorization)

    monkeypatch.setattr(Verifier, "verify", held)
    await gateway.apply(config(schema_file, route(), auth=AUTH))
    waiting = asyncio.create_task(gateway.handle(request("GET", "/orders/7", headers=bearer().items())))
    await asyncio.wait_for(verifying.wait(), 5)
    await gateway.apply(Config())
    go.set()
    assert (await waiting).status == 404


async def test_guards_are_passed_once(
    gateway: Gateway, schema_file: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by the request that the schema is read for."""
    verified = 0
    verify = Verifier.verify

    async def counted(self: Verifier, authorization: Any) -> Any:
        nonlocal verified
        verified += 1
        return await verify(self, authorization)

    monkeypatch.setattr(Verifier, "verify", counted)
    await gateway.apply(config(schema_file, route(), auth=AUTH))
    assert gateway.backends["shop"].schema is None
    for count in (1, 2):
        assert (await gateway.handle(request("GET", "/orders/7", headers=bearer().items()))).status == 200
        assert (verified, len(network.calls)) == (count, count)


async def test_guards_of_the_route_that_comes_with_the_schema(
    gateway: Gateway, schema_file: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a better match than the one that was known before."""
    monkeypatch.setattr(Backend, "start", lambda _: None)
    known = route(method="POST", path="/{id=**}", auth_required=False)
    await gateway.apply(config(schema_file, known, shop={"expose": ["methods"]}, auth=AUTH))
    assert gateway.backends["shop"].schema is None
    assert (await gateway.handle(request("POST", "/shop.Orders/Get"))).status == 401
    assert gateway.backends["shop"].schema is not None
    assert (await gateway.handle(request("POST", "/else"))).status == 200
    assert len(network.calls) == 1


async def test_method_that_is_gone_with_its_backend(
    gateway: Gateway, network: Network, schema_file: Path, hints: list[str]
) -> None:
    await gateway.apply(config(schema_file, route()))

    async def dropped(_: Called) -> CallResult:
        await gateway.apply(Config())
        raise TranscodeError(UNIMPLEMENTED, "unknown method")

    network.answer = dropped
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 501
    assert hints == []


async def test_two_backends_of_one_schema(gateway: Gateway, network: Network, schema_file: Path) -> None:
    """Equal names do not mix: each has a pool of its own, and one that is down costs the other nothing."""
    document = {
        "services": {"shop": service(schema_file), "twin": service(schema_file, descriptor_set="missing")},
        "routes": [route(), route(name="twin", service="twin", path="/twins/{id}")],
    }
    await gateway.apply(Config.model_validate(document))
    assert (await gateway.handle(request("GET", "/twins/7"))).status == SERVICE_UNAVAILABLE.http
    assert (await gateway.handle(request("GET", "/orders/7"))).status == 200
    assert [call.backend for call in network.calls] == ["shop"]
