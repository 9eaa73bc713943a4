"""The admin port of a stand-in for a worker, and what all its answers have."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from transcoder.config.model import AdminConfig, Config
from transcoder.gateway import Gateway
from transcoder.server.admin import make_admin_app
from transcoder.server.control import Outcome
from transcoder.server.listener import Listener

TOKEN: Final = "a-token-of-the-operators"
JSON: Final = (
    "/services",
    "/services/shop.v1",
    "/services/shop.v1/methods",
    "/services/shop.v1/types/shop.v1.Order",
    "/routes",
    "/routes/explain?path=/orders/1",
    "/config",
)
READING: Final = (*JSON, "/services/shop.v1/descriptors", "/metrics")
CHANGING: Final = ("/reload", "/services/shop.v1/refresh")


@dataclass(kw_only=True)
class Steered:
    """A worker as the admin port sees it; outcomes: of each command, with those of other workers."""

    gateway: Gateway
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    changed: Config | None = None

    @property
    def config(self) -> Config:
        return self.changed or self.gateway.snapshot.config

    @property
    def control(self) -> Any:
        return self

    async def everywhere(self, command: str, **arguments: Any) -> list[Outcome]:
        self.asked.append((command, arguments))
        return self.outcomes[command]

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        return b"# HELP\n", f"text/plain; for={accept}"

    def set_admin(self, **admin: Any) -> None:
        """As a reload does."""
        self.changed = self.config.model_copy(update={"admin": AdminConfig(**admin)})


@dataclass(frozen=True, kw_only=True)
class Admin:
    client: httpx.AsyncClient
    worker: Steered
    address: tuple[str, int]


@asynccontextmanager
async def listening(worker: Any) -> AsyncIterator[Admin]:
    sock = socket.create_server(("127.0.0.1", 0))
    listener = await Listener.start(make_admin_app(worker), sock)
    host, port = sock.getsockname()
    try:
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", trust_env=False) as client:
            yield Admin(client=client, worker=worker, address=(host, port))
    finally:
        assert await listener.stop(timeout=5, hurry=asyncio.Event())


def check_refusal(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Every error has one shape; returns what it says."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == code
    assert error["request_id"] == response.headers["x-request-id"]
    check_headers(response)
    return error


def check_headers(response: httpx.Response) -> None:
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert len(response.headers["x-request-id"]) > 10
