"""The options that say which server a command talks to, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import grpc
import pytest

from tests.cli.conftest import SCHEMA, target_of
from tests.support.backend import RecordingBackend
from tests.support.certs import Authority
from transcoder.cli.explore import list_names
from transcoder.errors import TranscodeError


@pytest.mark.parametrize(
    ("header", "metadatum"),
    [
        ("name:value", ("name", "value")),
        ("Name: a value ", ("name", "a value")),
        ("name:", ("name", "")),
        ("a.b_c-d: x:y", ("a.b_c-d", "x:y")),
        ("key-bin: AAE=", ("key-bin", b"\x00\x01")),
        ("key-bin:AAE", ("key-bin", b"\x00\x01")),
    ],
)
def test_headers(header: str, metadatum: tuple[str, str | bytes]) -> None:
    assert target_of("a:1", headers=[header]).metadata == (metadatum,)


def test_a_repeated_header_is_sent_twice() -> None:
    assert target_of("a:1", headers=["x: 1", "x: 2"]).metadata == (("x", "1"), ("x", "2"))


@pytest.mark.parametrize(
    "header", ["", "name", ": value", "na me: value", "name: välue", "name: a\nb", "ä: b"]
)
def test_what_is_no_header(header: str) -> None:
    with pytest.raises(click.UsageError, match="expected 'name: value' in printable ASCII"):
        target_of("a:1", headers=[header])


@pytest.mark.parametrize(
    "address", ["localhost:50051", "dns:///orders:443", "unix:/run/orders.sock", "[::1]:9"]
)
def test_addresses_are_those_of_the_configuration(address: str) -> None:
    target = target_of(address)
    assert (target.config.address, target.config.tls) == (address, None)


@pytest.mark.parametrize("options", [{"tls": True}, {"ca": Path("ca.pem")}, {"server_name": "orders"}])
def test_any_option_about_tls_asks_for_tls(options: dict[str, Any]) -> None:
    assert target_of("a:1", **options).config.tls is not None


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls_backend(authority: Authority, *hosts: str, ask_client: bool = False) -> RecordingBackend:
    identity = authority.issue("server", hosts=hosts)
    credentials = grpc.ssl_server_credentials(
        [(identity.key.read_bytes(), identity.cert.read_bytes())],
        authority.cert.read_bytes() if ask_client else None,
        ask_client,
    )
    return RecordingBackend(SCHEMA, credentials=credentials)


async def test_tls_with_an_authority_of_ones_own(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    async with tls_backend(authority, "127.0.0.1") as backend:
        await list_names(target_of(backend.address, ca=authority.cert), None)
    assert capsys.readouterr().out.startswith("shop.v1.Shop\n")


async def test_tls_with_a_name_that_is_not_the_address(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    async with tls_backend(authority, "orders.internal") as backend:
        target = target_of(backend.address, ca=authority.cert, server_name="orders.internal")
        await list_names(target, None)
    assert capsys.readouterr().out.startswith("shop.v1.Shop\n")


async def test_tls_with_a_certificate_to_show(
    authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    client = authority.issue("client")
    async with tls_backend(authority, "127.0.0.1", ask_client=True) as backend:
        target = target_of(backend.address, ca=authority.cert, cert=client.cert, key=client.key)
        await list_names(target, None)
        assert capsys.readouterr().out.startswith("shop.v1.Shop\n")
        with pytest.raises(TranscodeError):
            await list_names(target_of(backend.address, ca=authority.cert), None)


async def test_a_server_nobody_vouches_for_is_not_talked_to(authority: Authority) -> None:
    async with tls_backend(authority, "127.0.0.1") as backend:
        with pytest.raises(TranscodeError):
            await list_names(target_of(backend.address, tls=True), None)


async def test_a_certificate_that_is_gone() -> None:
    with pytest.raises(FileNotFoundError):
        await list_names(target_of("127.0.0.1:1", ca=Path("/none")), None)
