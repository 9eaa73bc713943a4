"""Everything a gateway reads is replaced while two workers are busy, and then by what cannot be used."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import jwt
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from tests.e2e.shop import PROTO, route, schema
from tests.security.jwks_server import JwksServer, answer, running_jwks_server
from tests.security.minting import jwk, jwks, rsa_key
from tests.support.backend import REFLECTION_V1, RecordingBackend, reflect
from tests.support.certs import Authority, Identity
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.metrics import read_metrics
from tests.support.protos import Schema

WORKERS: Final = 2
KEPT_CONNECTIONS: Final = 4
CONNECTIONS: Final = 20
"""So many tell something about every worker."""

ISSUER: Final = "https://id.example"
NEXT: Final = PROTO.replace(
    "rpc CreateOrder", "rpc CancelOrder(GetOrderRequest) returns (Order);\n  rpc CreateOrder"
)


def bearer(key: RSAPrivateKey, kid: str) -> dict[str, str]:
    claims = {"sub": "ada", "iss": ISSUER, "exp": int(time.time()) + 600}
    return {"Authorization": f"Bearer {jwt.encode(claims, key, 'RS256', headers={'kid': kid})}"}


class Site:
    """A gateway of two workers with TLS, whose clients come with a token.

    answers: of clients that never stop asking, over connections that last and over new ones.
    """

    def __init__(self, gateway: RunningGateway, trust: ssl.SSLContext, headers: Mapping[str, str]) -> None:
        self.gateway = gateway
        self.answers: list[httpx.Response] = []
        self._trust = trust
        self._headers = headers
        self._is_over = False

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.gateway.url, verify=self._trust, trust_env=False, headers=self._headers, timeout=30
        )

    async def get(self, path: str, **headers: str) -> int:
        """The status on a connection of its own."""
        async with self.client() as client:
            return (await client.get(path, headers=headers)).status_code

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for _ in range(KEPT_CONNECTIONS):
                group.create_task(self._ask())
            group.create_task(self._ask_anew())
            try:
                yield
            finally:
                self._is_over = True

    async def certificate(self) -> int:
        """The serial number of the one that a new connection is shown."""
        port = int(self.gateway.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self._trust)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(shown).serial_number

    async def _ask(self) -> None:
        async with self.client() as client:
            while not self._is_over:
                self.answers.append(await client.get("/orders/7"))

    async def _ask_anew(self) -> None:
        while not self._is_over:
            async with self.client() as client:
                self.answers.append(await client.get("/orders/7"))


async def everywhere(wanted: Any, ask: Callable[[], Awaitable[Any]], within: float = 20) -> None:
    """Ask on new connections until all workers answer what is wanted; raises TimeoutError, with the last."""
    seen: set[Any] = set()
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while True:
                seen = {await ask() for _ in range(CONNECTIONS)}
                if seen == {wanted}:
                    return
    raise TimeoutError(f"not {wanted} everywhere, but {seen}")


@asynccontextmanager
async def running_site(
    folder: Path, backend: RecordingBackend, keys: JwksServer, authority: Authority
) -> AsyncIterator[Site]:
    install(authority.issue("first"), folder)
    keys.answer = answer(jwks(jwk(rsa_key("a"), "a")))
    issuer = {"name": "i", "issuer": ISSUER, "algorithms": ["RS256"], "jwks_url": keys.url}
    config = {
        "server": {"workers": WORKERS, "tls": {"cert": "tls.pem", "key": "tls.key"}},
        "auth": {"issuers": [issuer]},
        "services": {"shop": {"address": backend.address, "refresh_interval": "1h"}},
        "routes": [route("kept", "GET", "/orders/{order_id}")],
    }
    trust = ssl.create_default_context(cafile=str(authority.cert))
    async with running_gateway(config, folder, verify=trust) as gateway:
        site = Site(gateway, trust, bearer(rsa_key("a"), "a"))
        await everywhere(200, lambda: site.get("/orders/7"))
        yield site


def install(identity: Identity, folder: Path) -> int:
    """Puts a certificate where the configuration says it is; its serial number."""
    shutil.copyfile(identity.key, folder / "tls.key")
    shutil.copyfile(identity.cert, folder / "tls.pem")
    return x509.load_pem_x509_certificate(identity.cert.read_bytes()).serial_number


async def reload(site: Site) -> int:
    return (await site.gateway.admin.post("/reload")).status_code


async def test_nothing_fails_while_everything_is_replaced(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        RecordingBackend(schema()) as backend,
        running_jwks_server() as keys,
        running_site(tmp_path, backend, keys, authority) as site,
        asyncio.timeout(90),
    ):
        file = site.gateway.config_file
        good = yaml.safe_load(file.read_text())
        async with site.load():
            second = install(authority.issue("second"), tmp_path)
            keys.answer = answer(jwks(jwk(rsa_key("b"), "b"), jwk(rsa_key("a"), "a")))
            backend.replies[REFLECTION_V1] = reflect(Schema.from_protos(NEXT))
            more = [
                route("new", "GET", "/new/{order_id}"),
                route("gone", "DELETE", "/{order_id}", "CancelOrder"),
            ]
            good["routes"] += more
            file.write_text(yaml.safe_dump(good))
            await everywhere(200, lambda: site.get("/new/7"))
            await everywhere(second, site.certificate)
            assert (await site.gateway.admin.post("/services/shop/refresh")).status_code == 200
            described = (await site.gateway.admin.get("/services/shop/methods")).text
            assert "CancelOrder" in described
            await everywhere(200, lambda: site.get("/orders/7", **bearer(rsa_key("b"), "b")))
        assert {answer.status_code for answer in site.answers} == {200}
        assert len(backend.peers) == WORKERS, "and every worker has kept its connection"


async def test_what_cannot_be_used_changes_nothing_and_is_said(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        RecordingBackend(schema()) as backend,
        running_jwks_server() as keys,
        running_site(tmp_path, backend, keys, authority) as site,
        asyncio.timeout(90),
    ):
        gateway = site.gateway
        good = gateway.config_file.read_text()
        first = await site.certificate()
        async with site.load():
            keys.answer = answer(b"<html>")
            for file, bad, place in (
                (gateway.config_file, good.replace("GetOrder", "GetOrder\n  paht: /"), "config.yaml:"),
                (gateway.config_file, "services: [", "config.yaml:"),
                (tmp_path / "tls.pem", "no certificate", "server.tls.cert"),
            ):
                kept = file.read_text()
                file.write_text(bad)
                refusal = await gateway.admin.post("/reload")
                assert refusal.status_code == 400
                assert place in refusal.text
                page = await read_metrics(gateway.admin)
                assert page.sum("transcoder_config_last_reload_successful") == 0
                assert page.sum("transcoder_config_reloads_total", outcome="failed") >= WORKERS
                said = [line for line in gateway.lines if line["event"].startswith("reload failed")]
                assert place in said[-1]["problems"][0]
                file.write_text(kept)
                assert await reload(site) == 200
            await everywhere(first, site.certificate)
        assert {answer.status_code for answer in site.answers} == {200}
        assert (await read_metrics(gateway.admin)).sum("transcoder_config_last_reload_successful") == 1
