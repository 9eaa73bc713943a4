"""A gateway whose key servers are down, slow, endless or elsewhere: it starts, and other issuers serve."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import jwt
import pytest
import pytest_asyncio

from tests.e2e.shop import Site, route, schema
from tests.security.jwks_server import JwksServer, answer, endless, hang_up, running_jwks_server
from tests.security.minting import jwk, jwks, rsa_key
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.ports import free_port
from tests.support.raw import RawAnswer

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD: Final = answer(jwks(jwk(rsa_key(), "k")))
TROUBLES: Final = {
    "hangs-up": hang_up,
    "endless": endless,
    "failing": answer(b"", "500 Oops"),
    "no-json": answer(b"<html>"),
    "no-keys": answer(b'{"keys": {}}'),
    "silent": GOOD,
    "elsewhere": hang_up,
    "down": hang_up,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled:
    """good: the one key server that answers; it is also where another one redirects to, as `/jwks?lured`."""

    site: Site
    good: JwksServer

    async def ask(self, name: str) -> RawAnswer:
        """A request with a good token of the issuer of that name."""
        claims = {"sub": "ada", "iss": f"https://{name}.example", "exp": int(time.time()) + 60}
        token = jwt.encode(claims, rsa_key(), "RS256", headers={"kid": "k"})
        return await self.site.send("GET", "/me/orders/7", f"Authorization: Bearer {token}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def troubled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Troubled]:
    async with AsyncExitStack() as stack:
        servers = {}
        for name in ("good", *TROUBLES):
            servers[name] = await stack.enter_async_context(running_jwks_server())
            servers[name].answer = TROUBLES.get(name, GOOD)
        servers["silent"].hold.clear()
        lure = f"{servers['good'].url}?lured"
        servers["elsewhere"].answer = answer(b"", "302 Found", location=lure)
        urls = {name: server.url for name, server in servers.items()}
        urls["down"] = f"http://127.0.0.1:{free_port()}/"
        backend = await stack.enter_async_context(RecordingBackend(schema()))
        config = {
            "auth": {
                "issuers": [
                    {
                        "name": name,
                        "issuer": f"https://{name}.example",
                        "algorithms": ["RS256"],
                        "jwks_url": url,
                    }
                    for name, url in urls.items()
                ]
            },
            "services": {"shop": {"address": backend.address}},
            "routes": [route("mine", "GET", "/me/orders/{order_id}")],
        }
        directory = tmp_path_factory.mktemp("keys")
        gateway = await stack.enter_async_context(running_gateway(config, directory))
        yield Troubled(site=Site(gateway=gateway, backend=backend), good=servers["good"])


@pytest.mark.parametrize("name", TROUBLES)
async def test_only_tokens_of_its_issuer_are_refused(troubled: Troubled, name: str) -> None:
    refusal = await troubled.ask(name)
    assert (refusal.status, refusal.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert b"127.0.0.1" not in refusal.body
    assert (await troubled.ask("good")).status == 200


async def test_no_redirect_is_followed(troubled: Troubled) -> None:
    await troubled.ask("elsewhere")
    assert not [line for line in troubled.good.requests if "lured" in line]
