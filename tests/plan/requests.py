"""Requests as tests write them."""

from __future__ import annotations

from typing import Any

from transcoder.context import RequestContext


def request(http_method: str = "GET", target: str = "/", body: bytes = b"", /, **more: Any) -> RequestContext:
    path, _, query = target.partition("?")
    headers = tuple((name.lower(), value) for name, value in more.pop("headers", ()))
    facts = {"peer": "127.0.0.1", "scheme": "http", "request_id": "id-1", **more}
    return RequestContext(
        http_method=http_method, path=path, query=query, headers=headers, body=body, **facts
    )
