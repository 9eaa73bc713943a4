"""routes: what is in effect, as a table."""

from __future__ import annotations

import re
import sys

import pytest

from tests.cli.conftest import WriteConfig
from tests.cli.test_cli_check import route, shop_config
from tests.support.backend import RecordingBackend
from tests.support.ports import free_port
from tests.support.tokens import SECRET
from transcoder.cli import main
from transcoder.cli.routes import routes

Output = pytest.CaptureFixture[str]


def test_the_shipped_routes_need_no_backend(capsys: Output) -> None:
    assert main(["routes"]) == 0
    out, err = capsys.readouterr()
    header, login, *_, balance = out.splitlines()
    assert header.split("  ")[0] == "METHOD"
    assert re.split("  +", login) == [
        *("POST", "/api/v1/auth/login", "user-service", "UserService/Login", "-", "config")
    ]
    assert re.split("  +", balance)[4] == "token"
    assert err == ""


async def test_columns_are_aligned_and_whole(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    long = "/a" * 100
    config = shop_config(
        backend.address,
        route("long", long, "Shop/GetItem", method="DELETE"),
        route("get", "/items/{id}", "shop.v1.Shop/GetItem"),
    )
    assert await routes(write_config(config), live=False) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len({row.index(word) for row, word in zip(rows, ("BACKEND", "shop ", "shop "), strict=True)}) == 1
    assert rows[1].split() == ["DELETE", long, "shop", "Shop/GetItem", "-", "config"]
    assert backend.reflection_calls == []


async def test_exposed_routes_are_asked_for(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    issuer = {"name": "main", "algorithms": ["HS256"], "secret": SECRET, "audience": ["api"]}
    config = shop_config(
        backend.address,
        route("mine", "/shop.v1.Till/Pay", "shop.v1.Till/Pay", method="POST", auth_required=False),
        expose=["methods"],
    )
    assert await routes(write_config({**config, "auth": {"issuers": [issuer]}}), live=False) == 0
    out, err = capsys.readouterr()
    _, mine, *exposed = [row.split() for row in out.splitlines()]
    assert mine == ["POST", "/shop.v1.Till/Pay", "shop", "shop.v1.Till/Pay", "-", "config"]
    assert exposed[0] == ["POST", "/shop.v1.Shop/GetItem", "shop", "shop.v1.Shop/GetItem", "token", "methods"]
    assert "/shop.v1.Till/Pay" not in [row[1] for row in exposed]
    assert any("is taken by mine" in line for line in err.splitlines())
    assert all(line.startswith("transcoder: ") for line in err.splitlines())


async def test_what_is_known_is_printed_when_a_backend_is_down(
    capsys: Output, write_config: WriteConfig
) -> None:
    config = shop_config(f"127.0.0.1:{free_port()}", route("get", "/a", "Shop/GetItem"), expose=["methods"])
    assert await routes(write_config(config), live=False) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[:2] == ["GET", "/a"]
    assert err.startswith("transcoder: shop: reflection: ")
    assert err.count("\n") == 1


async def test_live_asks_every_backend(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    config = shop_config(
        backend.address, route("get", "/a", "Shop/GetItem"), route("gone", "/b", "Shop/GetItm")
    )
    assert await routes(write_config(config), live=True) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[3] == "shop.v1.Shop/GetItem"
    assert err.startswith("transcoder: gone: service 'shop.v1.Shop' has no method 'GetItm'")


async def test_a_terminal_gets_a_table_that_fits(
    capsys: Output, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    config = shop_config("a:1", route("get", "/" + "x" * 80, "Shop/GetItem"))
    assert await routes(write_config(config), live=False) == 0
    out = capsys.readouterr().out
    assert "\x1b[1m" in out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert max(map(len, plain.splitlines())) <= 60
    assert plain.count("x") == 80
