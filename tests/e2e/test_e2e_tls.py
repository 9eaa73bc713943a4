"""TLS to clients and to backends, and certificates that are renewed under load."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509

from tests.support.backend import RecordingBackend
from tests.support.certs import Authority, Identity
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.orders import PROTO, ROUTE
from tests.support.process import running
from tests.support.protos import Schema


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def install(identity: Identity, folder: Path) -> dict[str, str]:
    """Puts a certificate where the configuration says it is."""
    shutil.copyfile(identity.key, folder / "tls.key")
    shutil.copyfile(identity.cert, folder / "tls.pem")
    return {"cert": "tls.pem", "key": "tls.key"}


def config(
    backend: RecordingBackend, server_tls: dict[str, str] | None = None, **service: Any
) -> dict[str, Any]:
    return {
        "server": {"tls": server_tls} if server_tls else {},
        "services": {"shop": {"address": backend.address, **service}},
        "routes": [ROUTE],
    }


def serial(identity: Identity) -> int:
    return x509.load_pem_x509_certificate(identity.cert.read_bytes()).serial_number


async def served(gateway: RunningGateway) -> int:
    """The serial number of the certificate a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = int(gateway.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(certificate).serial_number


async def test_a_renewed_certificate_is_served_without_a_failed_request(
    authority: Authority, tmp_path: Path
) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    trust = ssl.create_default_context(cafile=str(authority.cert))
    async with (
        RecordingBackend(Schema.from_protos(PROTO)) as backend,
        running_gateway(config(backend, install(first, tmp_path)), tmp_path) as gateway,
        httpx.AsyncClient(base_url=gateway.url, verify=trust, trust_env=False) as client,
    ):
        statuses: list[int] = []
        is_over = False

        async def load() -> None:
            while not is_over:
                fresh = httpx.AsyncClient(base_url=gateway.url, verify=trust, trust_env=False)
                async with fresh:
                    statuses.append((await fresh.get("/orders/1")).status_code)
                statuses.append((await client.get("/orders/1")).status_code)

        assert await served(gateway) == serial(first)
        loading = asyncio.create_task(load())
        install(second, tmp_path)
        async with asyncio.timeout(20):
            while await served(gateway) != serial(second):
                pass
        is_over = True
        await loading
        assert len(statuses) >= 2
        assert set(statuses) == {200}
        assert (await client.get("/orders/1")).status_code == 200
        assert backend.calls[0].values("x-forwarded-proto") == ["https"]


async def test_a_certificate_that_cannot_be_used_keeps_the_old_one(
    authority: Authority, tmp_path: Path
) -> None:
    first = authority.issue("first")
    async with (
        RecordingBackend(Schema.from_protos(PROTO)) as backend,
        running_gateway(config(backend, install(first, tmp_path)), tmp_path) as gateway,
    ):
        (tmp_path / "tls.pem").write_text("no certificate")
        answer = await gateway.admin.post("/reload")
        assert answer.status_code == 400
        assert "server.tls.cert" in answer.text
        assert await served(gateway) == serial(first)


async def test_clients_must_show_a_certificate_where_one_is_asked_for(
    authority: Authority, tmp_path: Path
) -> None:
    server, user = authority.issue("server"), authority.issue("user")
    trust = ssl.create_default_context(cafile=str(authority.cert))
    known = ssl.create_default_context(cafile=str(authority.cert))
    known.load_cert_chain(user.cert, user.key)
    tls = {**install(server, tmp_path), "client_ca": "ca.pem"}
    async with RecordingBackend(Schema.from_protos(PROTO)) as backend:
        settings = config(backend, tls)
        async with running_gateway(settings, tmp_path, verify=known) as gateway:
            assert (await gateway.client.get("/orders/1")).status_code == 200
            async with httpx.AsyncClient(base_url=gateway.url, verify=trust, trust_env=False) as client:
                with pytest.raises(httpx.TransportError):
                    await client.get("/orders/1")
            plain = gateway.url.replace("https", "http")
            async with httpx.AsyncClient(base_url=plain, trust_env=False) as client:
                with pytest.raises(httpx.TransportError):
                    await client.get("/orders/1")
            assert len(backend.calls) == 1


async def test_a_renewed_client_certificate_reaches_the_backend(authority: Authority, tmp_path: Path) -> None:
    server, old = authority.issue("server"), authority.issue("old")
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    stranger = Authority(other_folder).issue("stranger")
    credentials = grpc.ssl_server_credentials(
        [(server.key.read_bytes(), server.cert.read_bytes())], authority.cert.read_bytes(), True
    )
    tls = {"ca": "ca.pem", **install(stranger, tmp_path)}
    async with RecordingBackend(Schema.from_protos(PROTO), credentials=credentials) as backend:
        settings = config(backend, tls=tls, circuit_breaker={"failures": 0})
        async with running_gateway(settings, tmp_path) as gateway:
            assert (await gateway.client.get("/orders/1")).status_code == 503
            install(old, tmp_path)
            async with asyncio.timeout(20):
                while (await gateway.client.get("/orders/1")).status_code != 200:
                    pass


@pytest.mark.parametrize("broken", ["cert", "client_ca"])
async def test_files_that_cannot_be_used_are_said_at_the_start(
    authority: Authority, tmp_path: Path, broken: str
) -> None:
    tls = {**install(authority.issue("server"), tmp_path), "client_ca": "ca.pem"}
    (tmp_path / tls[broken]).write_text("nonsense")
    (tmp_path / "config.yaml").write_text(f"server: {{tls: {tls}}}".replace("'", ""))
    async with running(
        sys.executable, "-m", "transcoder", "serve", "--config", str(tmp_path / "config.yaml")
    ) as process:
        assert await process.wait() == 1
    assert f"server.tls.{broken}" in "\n".join(process.stderr)
    assert "Traceback" not in "\n".join(process.stderr)
