"""Requests as tests write them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from transcoder.context import RequestContext


class Bytes:
    """A body that is there."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._data:
            yield self._data


def request(http_method: str = "GET", target: str = "/", body: bytes = b"", /, **more: Any) -> RequestContext:
    path, _, query = target.partition("?")
    headers = tuple((name.lower(), value) for name, value in more.pop("headers", ()))
    facts = {"peer": "127.0.0.1", "scheme": "http", "request_id": "id-1", **more}
    return RequestContext(
        http_method=http_method, path=path, query=query, headers=headers, body=Bytes(body), **facts
    )
