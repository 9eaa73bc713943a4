from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.security.jwks_server import Answer, JwksServer, answer, endless, hang_up, running_jwks_server
from tests.support.ports import free_port
from transcoder.security import fetch
from transcoder.security.fetch import MAX_DOCUMENT, FetchError, fetch_file, fetch_url


@pytest_asyncio.fixture
async def server() -> AsyncIterator[JwksServer]:
    async with running_jwks_server() as subject:
        yield subject


async def test_url(server: JwksServer) -> None:
    server.answer = answer(b'{"keys": []}')
    read = fetch_url(server.url)
    assert await read() == b'{"keys": []}'
    assert await read() == b'{"keys": []}'
    assert server.requests == ["GET /jwks HTTP/1.1"] * 2


async def test_largest_document(server: JwksServer) -> None:
    server.answer = answer(b" " * MAX_DOCUMENT)
    assert len(await fetch_url(server.url)()) == MAX_DOCUMENT


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (answer(b"{}", "404 Not Found"), "answered 404"),
        (answer(b"{}", "500 Oops"), "answered 500"),
        (answer(b"{}", "204 No Content"), "answered 204"),
        (answer(b" " * (MAX_DOCUMENT + 1)), f"larger than {MAX_DOCUMENT} bytes"),
        (endless, f"larger than {MAX_DOCUMENT} bytes"),
        (hang_up, "request failed: RemoteProtocolError"),
        (answer(b"{}", "200 OK\r\nx-big: " + "x" * 200_000), "request failed: RemoteProtocolError"),
    ],
)
async def test_url_that_misbehaves(server: JwksServer, behaviour: Answer, reason: str) -> None:
    server.answer = behaviour
    with pytest.raises(FetchError) as caught:
        await fetch_url(server.url)()
    assert str(caught.value) == reason


async def test_redirect_is_not_followed(server: JwksServer) -> None:
    server.answer = answer(b"", "302 Found", location="/elsewhere")
    with pytest.raises(FetchError, match="answered 302"):
        await fetch_url(server.url)()
    assert server.requests == ["GET /jwks HTTP/1.1"]


async def test_compressed_body_is_not_inflated(server: JwksServer) -> None:
    server.answer = answer(b"\x1f\x8b compressed", **{"content-encoding": "gzip"})
    assert await fetch_url(server.url)() == b"\x1f\x8b compressed"


async def test_slow_url(server: JwksServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.05)
    server.hold.clear()
    with pytest.raises(FetchError, match=r"no answer within 0.05 s|request failed: ReadTimeout"):
        await fetch_url(server.url)()


async def test_url_that_drips(server: JwksServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.answer = drip
    async with asyncio.timeout(4):
        with pytest.raises(FetchError, match=r"no answer within 0.2 s"):
            await fetch_url(server.url)()


async def test_url_that_is_down() -> None:
    with pytest.raises(FetchError, match="request failed: ConnectError"):
        await fetch_url(f"http://127.0.0.1:{free_port()}/")()


async def test_proxies_of_the_environment_are_not_used(
    server: JwksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    server.answer = answer(b"{}")
    assert await fetch_url(server.url)() == b"{}"


async def test_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    read = fetch_file(path)
    path.write_bytes(b"one")
    assert await read() == b"one"
    path.write_bytes(b"two")
    assert await read() == b"two"


async def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cannot be read: No such file or directory"):
        await fetch_file(tmp_path / "missing")()
    with pytest.raises(FetchError, match="cannot be read: Is a directory"):
        await fetch_file(tmp_path)()
    (tmp_path / "big").write_bytes(b" " * (MAX_DOCUMENT + 1))
    with pytest.raises(FetchError, match=f"larger than {MAX_DOCUMENT} bytes"):
        await fetch_file(tmp_path / "big")()
