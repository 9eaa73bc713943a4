"""Where a JWK set comes from: a URL or a file, read whole, bounded in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

Fetch = Callable[[], Awaitable[bytes]]
"""Reads the document as it is now. Raises FetchError."""

TIMEOUT: Final = 5.0
"""Seconds for all of one request."""
MAX_DOCUMENT: Final = 512 * 1024
"""Largest document, in bytes."""


class FetchError(Exception):
    """The document could not be read; the text says why, for logs and the admin API."""


def fetch_url(url: str) -> Fetch:
    """Reads by HTTP(S), trusting the roots of the system and of certifi.

    Redirects are not followed and proxies of the environment not used: keys come from where the configuration
    says, or not at all.
    """
    import httpx  # noqa: PLC0415 - only issuers with a URL pay for it

    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    headers = {"accept": "application/json", "accept-encoding": "identity"}

    async def fetch() -> bytes:
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                httpx.AsyncClient(verify=context, trust_env=False, timeout=TIMEOUT) as client,
                client.stream("GET", url, headers=headers) as response,
            ):
                return await _body(response.status_code, response.aiter_raw())
        except TimeoutError:
            raise FetchError(f"no answer within {TIMEOUT:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise FetchError(f"request failed: {type(exc).__name__}") from exc

    return fetch


def fetch_file(path: Path) -> Fetch:
    """Reads a file. Its content is what counts: mounted secrets change without a newer time stamp."""

    async def fetch() -> bytes:
        return await asyncio.to_thread(read_bounded, path)

    return fetch


def read_bounded(path: Path) -> bytes:
    """A file of at most MAX_DOCUMENT bytes. Raises FetchError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except OSError as exc:
        raise FetchError(f"cannot be read: {exc.strerror}") from exc
    _check_size(data)
    return data


async def _body(status: int, chunks: AsyncIterator[bytes]) -> bytes:
    if status != 200:
        raise FetchError(f"answered {status}")
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        _check_size(body)
    return bytes(body)


def _check_size(data: bytes | bytearray) -> None:
    if len(data) > MAX_DOCUMENT:
        raise FetchError(f"larger than {MAX_DOCUMENT} bytes")
