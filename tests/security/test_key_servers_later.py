"""Key servers that change, go, slow down and come back while a gateway runs, all within one cooldown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import jwt

from tests.e2e.shop import Site, route, schema
from tests.security.jwks_server import JwksServer, answer, hang_up, running_jwks_server
from tests.security.minting import jwk, jwks, rsa_key
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.raw import exchange, request
from transcoder.security.jwks import COOLDOWN

OLD: Final = answer(jwks(jwk(rsa_key(), "old")))
NEW: Final = answer(jwks(jwk(rsa_key("new"), "new")))
AT_FIRST: Final = {"rotates": OLD, "goes": OLD, "slows": OLD, "comes": hang_up}
PATIENCE: Final = 3 * COOLDOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuers:
    """Issuers by what their key servers are going to do. since: when they could first be asked."""

    site: Site
    servers: dict[str, JwksServer]
    since: float

    async def ask(self, name: str, key: str = "old") -> int:
        """The status of a request with a token that nobody has seen before. key: `old` or `new`."""
        now = time.time()
        claims = {"sub": "ada", "iss": f"https://{name}.example", "exp": int(now) + 600, "jti": str(now)}
        signing = rsa_key() if key == "old" else rsa_key(key)
        token = jwt.encode(claims, signing, "RS256", headers={"kid": key})
        sent = request("GET", "/me/orders/7", f"Authorization: Bearer {token}")
        return (await exchange(self.site.gateway.url, sent)).status

    async def until(self, status: int, name: str, key: str) -> set[int]:
        """Ask with one token after the other; returns what came before the status."""
        before = set()
        while (found := await self.ask(name, key)) != status:
            before.add(found)
            await asyncio.sleep(0.05)
        return before

    def are_spared(self, name: str) -> bool:
        """Whether a key server was asked no more than once in each cooldown."""
        cooldowns = int((time.monotonic() - self.since) / COOLDOWN)
        return len(self.servers[name].requests) <= 1 + cooldowns


@asynccontextmanager
async def running_issuers(directory: Path) -> AsyncIterator[Issuers]:
    async with AsyncExitStack() as stack:
        servers = {}
        for name, first in AT_FIRST.items():
            servers[name] = await stack.enter_async_context(running_jwks_server())
            servers[name].answer = first
        backend = await stack.enter_async_context(RecordingBackend(schema()))
        issuers = [
            {"name": name, "issuer": f"https://{name}.example", "algorithms": ["RS256"], "jwks_url": one.url}
            for name, one in servers.items()
        ]
        config = {
            "auth": {"issuers": issuers},
            "services": {"shop": {"address": backend.address}},
            "routes": [route("mine", "GET", "/me/orders/{order_id}")],
        }
        since = time.monotonic()
        gateway = await stack.enter_async_context(running_gateway(config, directory))
        yield Issuers(site=Site(gateway=gateway, backend=backend), servers=servers, since=since)


async def rotate(issuers: Issuers) -> None:
    """New keys are believed within a cooldown, old ones no more, whoever asks however often."""
    issuers.servers["rotates"].answer = NEW
    assert await issuers.until(200, "rotates", "new") <= {401}
    assert await issuers.ask("rotates") == 401
    assert issuers.are_spared("rotates")


async def go(issuers: Issuers) -> None:
    """Keys that were known are believed after a failed look, and unknown ones are still no fault of ours."""
    server = issuers.servers["goes"]
    server.answer = hang_up
    while len(server.requests) < 2:
        assert await issuers.ask("goes", "new") == 401
        await asyncio.sleep(0.05)
    assert await issuers.ask("goes") == 200
    assert issuers.are_spared("goes")


async def slow_down(issuers: Issuers) -> None:
    """While somebody waits for the answer about an unknown key, known ones are believed at once."""
    server = issuers.servers["slows"]
    server.hold.clear()
    server.asked.clear()
    waiting = asyncio.create_task(issuers.until(200, "slows", "new"))
    await server.asked.wait()
    assert await issuers.ask("slows") == 200
    assert len(server.requests) == 2
    server.answer = NEW
    server.hold.set()
    assert await waiting <= {401}
    assert issuers.are_spared("slows")


async def come(issuers: Issuers) -> None:
    """A key server that was down at the start heals by itself."""
    assert await issuers.ask("comes") == 503
    issuers.servers["comes"].answer = OLD
    assert await issuers.until(200, "comes", "old") <= {503}


async def test_key_servers_that_change_while_the_gateway_runs(tmp_path: Path) -> None:
    async with running_issuers(tmp_path) as issuers, asyncio.timeout(PATIENCE):
        assert [await issuers.ask(name) for name in ("rotates", "goes", "slows")] == [200] * 3
        async with asyncio.TaskGroup() as all_at_once:
            for change in (rotate, go, slow_down, come):
                all_at_once.create_task(change(issuers))
