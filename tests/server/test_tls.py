"""TLS of the public port, over real sockets."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.certs import Authority, Identity
from transcoder.config.model import ServerTlsConfig
from transcoder.errors import ConfigError
from transcoder.server.tls import TlsPort, make_context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def context(identity: Identity, client_ca: Path | None = None) -> ssl.SSLContext:
    return make_context(
        ServerTlsConfig.model_construct(cert=identity.cert, key=identity.key, client_ca=client_ca)
    )


@asynccontextmanager
async def listening(port: TlsPort) -> AsyncIterator[int]:
    handlers: set[asyncio.Task[None]] = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        except (ssl.SSLError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=port.context)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*handlers)


def client(authority: Authority, identity: Identity | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.cert))
    if identity is not None:
        context.load_cert_chain(identity.cert, identity.key)
    return context


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def serial(self) -> int:
        certificate = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(certificate).serial_number

    @property
    def version(self) -> str:
        return str(self._writer.get_extra_info("ssl_object").version())

    async def ask(self) -> bytes:
        self._writer.write(b"hello\n")
        return await self._reader.readline()

    def close(self) -> None:
        self._writer.close()


async def connect(port: int, context: ssl.SSLContext, name: str | None = "localhost") -> Connection:
    return Connection(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name))


def serial(identity: Identity) -> int:
    return x509.load_pem_x509_certificate(identity.cert.read_bytes()).serial_number


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_new_handshakes_use_new_certificates_and_old_connections_go_on(
    authority: Authority, name: str
) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    subject = TlsPort(context(first))
    async with listening(subject) as port:
        old = await connect(port, client(authority), name)
        subject.replace(context(second))
        new = await connect(port, client(authority), name)
        assert (old.serial, new.serial) == (serial(first), serial(second))
        assert [await old.ask(), await new.ask()] == [b"hello\n"] * 2
        old.close()
        new.close()


async def test_files_that_cannot_be_used_change_nothing(authority: Authority, tmp_path: Path) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    subject = TlsPort(context(first))
    with pytest.raises(ConfigError, match=r"server\.tls\.cert: .*second\.pem.*first\.key cannot be used"):
        subject.replace(context(Identity(cert=second.cert, key=first.key)))
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"server\.tls\.client_ca: .*ca cannot be used"):
        subject.replace(context(second, tmp_path / "ca"))
    async with listening(subject) as port:
        connection = await connect(port, client(authority))
        assert connection.serial == serial(first)
        connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
async def test_old_versions_are_refused(authority: Authority, version: ssl.TLSVersion) -> None:
    old = client(authority)
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    old.minimum_version = old.maximum_version = version
    server = context(authority.issue("server"))
    server.set_ciphers("DEFAULT@SECLEVEL=0")  # which would take them
    async with listening(TlsPort(server)) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connect(port, old)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_current_versions_are_served(authority: Authority, version: ssl.TLSVersion) -> None:
    current = client(authority)
    current.minimum_version = current.maximum_version = version
    async with listening(TlsPort(context(authority.issue("server")))) as port:
        connection = await connect(port, current)
        assert connection.version == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        connection.close()


async def test_there_is_no_way_without_tls(authority: Authority) -> None:
    async with listening(TlsPort(context(authority.issue("server")))) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"HTTP" not in await reader.read()
        writer.close()


async def refused(port: int, context: ssl.SSLContext) -> bool:
    """TLS 1.3 lets a client finish its handshake before the server has seen its certificate."""
    try:
        connection = await connect(port, context)
        answer = await connection.ask()
        connection.close()
    except (ssl.SSLError, ConnectionError):
        return True
    return answer == b""


async def test_clients_show_certificates_of_the_authority_that_is_trusted_now(
    authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    server, good, bad = authority.issue("server"), authority.issue("client"), other.issue("client")
    expired = authority.issue("expired", valid_for=-datetime.timedelta(hours=1))
    subject = TlsPort(context(server, authority.cert))
    async with listening(subject) as port:
        connection = await connect(port, client(authority, good))
        assert await connection.ask() == b"hello\n"
        connection.close()
        assert await refused(port, client(authority))
        assert await refused(port, client(authority, bad))
        assert await refused(port, client(authority, expired))
        subject.replace(context(server, other.cert))
        assert await refused(port, client(authority, good))
        connection = await connect(port, client(authority, bad))
        assert await connection.ask() == b"hello\n"
        connection.close()


def test_an_encrypted_key_is_refused_instead_of_asked_about(authority: Authority) -> None:
    from cryptography.hazmat.primitives import serialization

    identity = authority.issue("server")
    key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
    identity.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="the key is encrypted"):
        context(identity)
