"""Percent-encoding, from the raw target to what the backend is told."""

from __future__ import annotations

import pytest

from tests.e2e.shop import Site


@pytest.mark.parametrize(
    ("target", "order_id", "metadata"),
    [
        ("/orders/a%2Fb", "a/b", "a/b"),
        ("/orders/a%2fb%3Fc%23", "a/b?c#", "a/b?c#"),
        ("/orders/a+b", "a+b", "a+b"),
        ("/orders/a%2Bb%20c", "a+b c", "a+b c"),
        ("/orders/100%25", "100%", "100%25"),
        ("/orders/%2525", "%25", "%2525"),
        ("/orders/%C3%BC", "ü", "%C3%BC"),
        ("/orders/%F0%9F%98%80", "😀", "%F0%9F%98%80"),
        ("/orders/%00", "\0", "%00"),
        ("/orders/a%0d%0ax-user-id:%20root", "a\r\nx-user-id: root", "a%0D%0Ax-user-id:%20root"),
        ("/orders/..", "..", ".."),
        ("/orders/%2e%2e", "..", ".."),
        ("/orders/a;b=c", "a;b=c", "a;b=c"),
        ("/orders/a:b", "a:b", "a:b"),
        ("/files/a/b%2Fc/d", "a/b%2Fc/d", "a/b%252Fc/d"),
        ("/files/a%20b/c", "a b/c", "a b/c"),
        ("/%7Etilde/1", "1", "1"),
        ("/%6Frders/1", "1", "1"),
    ],
)
async def test_path_is_split_before_it_is_decoded(
    site: Site, target: str, order_id: str, metadata: str
) -> None:
    answer = await site.send("GET", target)
    assert answer.status == 200
    (call,) = site.backend.calls
    assert call.message.order_id == order_id
    keys = [key for key, _ in call.metadata if key.startswith("x-path-")]
    assert [value for key in keys for value in call.values(key)] == [metadata]
    assert call.values("x-forwarded-path") == [target]


@pytest.mark.parametrize(
    "target", ["/orders/%zz", "/orders/%", "/orders/a%2", "/orders/%ff", "/orders/%C3", "/files/a/%ff"]
)
async def test_bad_escape_is_a_bad_request(site: Site, target: str) -> None:
    answer = await site.send("GET", target)
    assert (answer.status, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert site.backend.calls == []


@pytest.mark.parametrize(
    "target", ["/orders/", "//orders/1", "/orders//1", "/orders/1/", "/ORDERS/1", "/orders%2F1"]
)
async def test_other_paths_are_other_paths(site: Site, target: str) -> None:
    assert (await site.send("GET", target)).status == 404
    assert site.backend.calls == []


@pytest.mark.parametrize(
    ("query", "view"),
    [
        ("view=a+b", "a b"),
        ("view=a%2Bb", "a+b"),
        ("view=a%26b%3Dc", "a&b=c"),
        ("view=%C3%BC", "ü"),
        ("v%69ew=x", "x"),
        ("view=a=b", "a=b"),
        ("view=?", "?"),
        ("view", ""),
    ],
)
async def test_query_is_decoded(site: Site, query: str, view: str) -> None:
    assert (await site.send("GET", f"/orders/1?{query}")).status == 200
    assert site.backend.calls[0].message.view == view


@pytest.mark.parametrize("query", ["view=%zz", "view=%ff", "%ff=1", "view=%"])
async def test_bad_escape_in_the_query(site: Site, query: str) -> None:
    answer = await site.send("GET", f"/orders/1?{query}")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert site.backend.calls == []


async def test_bytes_outside_ascii_in_the_target(site: Site) -> None:
    answer = await site.send("GET", "/orders/\xff?view=\xe9")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert site.backend.calls == []
