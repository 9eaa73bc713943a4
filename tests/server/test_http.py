"""The facts of a request."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.plan.requests import Bytes
from transcoder.context import RequestContext
from transcoder.server.head import HeadParser
from transcoder.server.http import context_of, new_request_ids, origin_form, sane_request_id


def context(target: str, *headers: str, scheme: str = "http") -> RequestContext:
    """What is made of the bytes of a request."""
    lines = [f"PATCH {target} HTTP/1.1", "Host: api", *headers, "", ""]
    found = HeadParser().parse("\r\n".join(lines).encode("utf-8", "surrogateescape"))
    assert found is not None
    return context_of(found[0], Bytes(b"{}"), "10.1.2.3", scheme)


async def test_facts_of_a_request() -> None:
    ctx = context("/a%2Fb//c;d?q=%20&q?", "X-A:1 \t", "x-a: 2", "X-B: \udcff", scheme="https")
    assert (ctx.http_method, ctx.path, ctx.query) == ("PATCH", "/a%2Fb//c;d", "q=%20&q?")
    assert list(ctx.headers) == [("host", "api"), ("x-a", "1"), ("x-a", "2"), ("x-b", "\udcff")]
    assert await ctx.body.read() == b"{}"
    assert (ctx.peer, ctx.scheme) == ("10.1.2.3", "https")
    assert (ctx.principal, ctx.route, ctx.accept) == (None, None, None)


def test_absolute_target_of_a_request() -> None:
    ctx = context("http://api?q=a/b")
    assert (ctx.path, ctx.query) == ("/", "q=a/b")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a?b", "/a?b"),
        ("/", "/"),
        ("*", "*"),
        ("//x/y", "//x/y"),
        ("/go?to=http://other/x", "/go?to=http://other/x"),
        ("http://host/a?b=/c", "/a?b=/c"),
        ("HTTPS://host:1/a", "/a"),
        ("http://host", "/"),
        ("http://host?q=a/b", "/?q=a/b"),
        ("http://host//x", "//x"),
        ("http://host/-/health", "/-/health"),
        ("go?to=http://other/x", "go?to=http://other/x"),
        ("host:443", "host:443"),
        ("", ""),
    ],
)
def test_absolute_targets(target: str, expected: str) -> None:
    """Only a scheme at the very start makes one, and no query moves into the path."""
    assert origin_form(target) == expected


@pytest.mark.parametrize("value", ["a", "A-z_0.9:/+=@", "x" * 128])
def test_sane_request_id_is_kept(value: str) -> None:
    assert sane_request_id(value) == value
    assert context("/", f"X-Request-Id: {value}").request_id == value


@pytest.mark.parametrize(
    "value", [None, "", "x" * 129, "a b", "a\n", "é", "<script>", '"', "\udcff", "a\x00"]
)
def test_other_request_id_is_replaced(value: str | None) -> None:
    made = {sane_request_id(value) for _ in range(2)}
    assert len(made) == 2
    assert all(len(one) == 32 and one.isalnum() for one in made)


def test_request_ids_without_end() -> None:
    ids = [one for _ in range(2) for one in islice(new_request_ids(), 1000)]
    assert len(set(ids)) == len(ids)
    assert all(len(bytes.fromhex(one)) == 16 for one in ids)
