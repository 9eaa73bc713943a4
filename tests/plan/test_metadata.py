"""What a backend is told beside the message."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.requests import request
from transcoder.context import Metadata, Principal, RequestContext
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.plan.metadata import compile_metadata

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def built(ctx: RequestContext, captures: tuple[str, ...] = (), **settings: Any) -> Metadata:
    keys = {"static": (), "forward_headers": (), "trusted_proxies": (), "variables": ()}
    return compile_metadata(**{**keys, **settings})(ctx, captures)


def values(metadata: Metadata, name: str) -> list[str | bytes]:
    return [value for key, value in metadata if key == name]


def refusal(ctx: RequestContext, **settings: Any) -> str:
    with pytest.raises(TranscodeError) as caught:
        built(ctx, **settings)
    assert caught.value.kind is INVALID_ARGUMENT
    return caught.value.message


def test_all_that_is_sent_without_being_asked_for() -> None:
    ctx = request("POST", "/a%20b?q=1", headers=[("Host", "api.example"), ("traceparent", TRACEPARENT)])
    assert list(built(ctx)) == [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-path", "/a%20b"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "api.example"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "id-1"),
        ("traceparent", TRACEPARENT),
    ]


def test_only_listed_headers_are_copied() -> None:
    headers = [
        ("X-Tenant", "a"),
        ("X-Tenant", "b"),
        ("tracestate", "k=v"),
        ("baggage", "x=1"),
        ("authorization", "Bearer x"),
        ("cookie", "c"),
        ("x-other", "o"),
        ("connection", "x-tenant"),
        ("grpc-encoding", "gzip"),
        ("content-type", "application/json"),
        ("grpc-metadata-x-user-id", "evil"),
    ]
    metadata = built(request(headers=headers), forward_headers=["x-tenant"])
    assert list(metadata)[:4] == [
        ("x-tenant", "a"),
        ("x-tenant", "b"),
        ("tracestate", "k=v"),
        ("baggage", "x=1"),
    ]
    assert {name for name, _ in metadata[4:]} == {
        "x-forwarded-method",
        "x-forwarded-path",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
        "traceparent",
    }


def test_authorization_goes_when_it_is_listed() -> None:
    ctx = request(headers=[("authorization", "Bearer x")])
    assert values(built(ctx, forward_headers=["authorization"]), "authorization") == ["Bearer x"]


def test_what_the_gateway_sends_itself_is_sent_once() -> None:
    ctx = request(headers=[("x-request-id", "their own"), ("traceparent", "broken")])
    metadata = built(ctx, forward_headers=["x-request-id", "traceparent"])
    assert values(metadata, "x-request-id") == ["id-1"]
    assert len(values(metadata, "traceparent")) == 1


@pytest.mark.parametrize(
    ("value", "sent"),
    [("AP8=", b"\x00\xff"), ("AP8", b"\x00\xff"), ("", b""), ("+/+/", b"\xfb\xff\xbf"), ("YQ", b"a")],
)
def test_binary_headers_are_base64(value: str, sent: bytes) -> None:
    ctx = request(headers=[("x-raw-bin", value)])
    assert values(built(ctx, forward_headers=["x-raw-bin"]), "x-raw-bin") == [sent]


@pytest.mark.parametrize("value", ["*", "A", "AAAAA", "A A=", "AP8=\n", "é", "\udcff", "-_-_"])
def test_binary_header_that_is_not_base64(value: str) -> None:
    ctx = request(headers=[("x-raw-bin", value)])
    assert refusal(ctx, forward_headers=["x-raw-bin"]) == "header x-raw-bin: value is not base64"


@pytest.mark.parametrize("value", ["é", "\x00", "a\r\nb: c", "\x7f", "\udcff", "a\tb"])
def test_text_that_is_not_printable_ascii(value: str) -> None:
    ctx = request(headers=[("x-tenant", value)])
    assert refusal(ctx, forward_headers=["x-tenant"]) == "header x-tenant: value is not printable ASCII"
    assert (
        refusal(request(headers=[("host", value)])) == "header x-forwarded-host: value is not printable ASCII"
    )


def test_headers_that_are_not_copied_may_hold_anything() -> None:
    built(request(headers=[("x-other", "é\x00")]), forward_headers=["x-tenant"])


def test_identity_comes_from_the_token_alone() -> None:
    spellings = ("x-user-id", "x_user_id", "X-User-Id", "x-user-email", "x-path-id", "x-user-roles")
    headers = [(name, "evil") for name in spellings]
    assert "evil" not in dict(built(request(headers=headers))).values()
    principal = Principal(user_id="u1", metadata=(("x-user-id", "u1"), ("x-user-roles", "admin")))
    metadata = built(request(headers=headers, principal=principal), ("7",), variables=["id"])
    assert values(metadata, "x-user-id") == ["u1"]
    assert values(metadata, "x-user-roles") == ["admin"]
    assert values(metadata, "x-path-id") == ["7"]
    assert "evil" not in dict(metadata).values()


def test_path_variables() -> None:
    metadata = built(request(), ("shelves/1", "é %", ""), variables=["name", "Book.Id", "empty"])
    assert [pair for pair in metadata if pair[0].startswith("x-path-")] == [
        ("x-path-name", "shelves/1"),
        ("x-path-book.id", "%C3%A9%20%25"),
        ("x-path-empty", ""),
    ]


def test_static_metadata_comes_first() -> None:
    assert built(request(), static=(("x-key", "k"),))[0] == ("x-key", "k")


FORGED = [
    ("x-forwarded-for", "10.9.9.9"),
    ("x-forwarded-for", "10.8.8.8"),
    ("x-forwarded-host", "public.example"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-method", "DELETE"),
    ("x-forwarded-path", "/elsewhere"),
    ("host", "inner.example"),
]


def forwarded(peer: str, *networks: str) -> dict[str, str | bytes]:
    ctx = request("GET", "/p", headers=FORGED, peer=peer)
    metadata = built(ctx, trusted_proxies=[ip_network(network) for network in networks])
    return {key: value for key, value in metadata if key.startswith("x-forwarded-")}


@pytest.mark.parametrize(
    ("peer", "networks"),
    [
        ("10.0.0.1", ()),
        ("11.0.0.1", ("10.0.0.0/8",)),
        ("::1", ("10.0.0.0/8",)),
        ("", ("10.0.0.0/8",)),
        ("unix", ("0.0.0.0/0", "::/0")),
    ],
)
def test_forwarded_headers_of_strangers_are_not_believed(peer: str, networks: tuple[str, ...]) -> None:
    assert forwarded(peer, *networks) == {
        "x-forwarded-method": "GET",
        "x-forwarded-path": "/p",
        "x-forwarded-for": peer,
        "x-forwarded-host": "inner.example",
        "x-forwarded-proto": "http",
    }


@pytest.mark.parametrize(("peer", "network"), [("10.0.0.1", "10.0.0.0/8"), ("fd00::1", "fd00::/8")])
def test_forwarded_headers_of_trusted_proxies_are_believed(peer: str, network: str) -> None:
    assert forwarded(peer, "192.168.0.0/16", network) == {
        "x-forwarded-method": "GET",
        "x-forwarded-path": "/p",
        "x-forwarded-for": f"10.9.9.9, 10.8.8.8, {peer}",
        "x-forwarded-host": "public.example",
        "x-forwarded-proto": "https",
    }


def test_proxy_that_says_nothing() -> None:
    ctx = request(headers=[("host", "h")], peer="10.0.0.1", scheme="https")
    metadata = dict(built(ctx, trusted_proxies=[ip_network("10.0.0.0/8")]))
    assert metadata["x-forwarded-for"] == "10.0.0.1"
    assert metadata["x-forwarded-host"] == "h"
    assert metadata["x-forwarded-proto"] == "https"
    assert dict(built(request()))["x-forwarded-host"] == ""


@pytest.mark.parametrize(
    "value",
    [
        TRACEPARENT.upper(),
        "",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "ff" + TRACEPARENT[2:],
        TRACEPARENT + "-x",
        TRACEPARENT + "\n",
        None,
    ],
)
def test_malformed_traceparent_begins_a_new_trace(value: str | None) -> None:
    ctx = request(headers=[] if value is None else [("traceparent", value)])
    traces = {str(values(built(ctx), "traceparent")[0]) for _ in range(3)}
    assert len(traces) == 3
    for trace in traces:
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", trace)


@pytest.mark.parametrize("version", ["00", "01", "cc"])
def test_wellformed_traceparent_is_kept(version: str) -> None:
    trace = version + TRACEPARENT[2:]
    assert values(built(request(headers=[("traceparent", trace)])), "traceparent") == [trace]


names = st.sampled_from(["x-tenant", "x-raw-bin", "host", "traceparent", "x-forwarded-for", "x-other"])


@given(st.lists(st.tuples(names, st.text(max_size=8)), max_size=5), st.text(max_size=5))
def test_whatever_comes_is_sent_legally_or_refused(headers: list[tuple[str, str]], capture: str) -> None:
    try:
        metadata = built(
            request(headers=headers),
            (capture.encode(errors="replace").decode(),),
            variables=["v"],
            forward_headers=["x-tenant", "x-raw-bin"],
            trusted_proxies=[ip_network("127.0.0.0/8")],
        )
    except TranscodeError as error:
        assert error.kind is INVALID_ARGUMENT  # noqa: PT017
        return
    for key, value in metadata:
        assert re.fullmatch(r"[0-9a-z_.-]+", key)
        if key.endswith("-bin"):
            assert isinstance(value, bytes)
        else:
            assert isinstance(value, str)
            assert value.isascii()
            assert value.isprintable()
