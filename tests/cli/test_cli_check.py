"""check: every problem at once, from the files and from the backends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import WriteConfig
from tests.support.backend import RecordingBackend
from tests.support.ports import free_port
from transcoder.cli import main
from transcoder.cli.check import check

Output = pytest.CaptureFixture[str]


def route(name: str, path: str, rpc: str, /, **more: Any) -> dict[str, Any]:
    grpc_service, _, grpc_method = rpc.partition("/")
    entry = {"name": name, "path": path, "method": "GET", "service": "shop"}
    return {**entry, "grpc_service": grpc_service, "grpc_method": grpc_method, **more}


def test_the_shipped_configuration_is_clean(capsys: Output) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr() == ("ok: 5 services, 9 routes\n", "")


def test_one_is_counted_as_one(capsys: Output, write_config: WriteConfig) -> None:
    routes = [route("get", "/items/{id}", "Shop/GetItem")]
    config = write_config({"services": {"shop": {"address": "a:1"}}, "routes": routes})
    assert main(["check", "--config", str(config)]) == 0
    assert capsys.readouterr().out == "ok: 1 service, 1 route\n"


def test_every_problem_is_a_line_on_stdout(capsys: Output, write_config: WriteConfig) -> None:
    config = write_config("server: {port: x, hots: y}\nroutes:\n  - {name: a}\n")
    assert main(["check", "--config", str(config)]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) > 3
    assert all(line.startswith(f"{config}:") for line in lines)


def test_a_file_that_is_not_there(capsys: Output, tmp_path: Path) -> None:
    assert main(["check", "--config", str(tmp_path / "none.yaml")]) == 1
    assert capsys.readouterr() == (f"{tmp_path / 'none.yaml'}: no such file\n", "")


def test_keys_that_cannot_be_used_are_problems(
    capsys: Output, write_config: WriteConfig, tmp_path: Path
) -> None:
    (tmp_path / "key.pem").write_text("no key")
    issuer = {"name": "main", "algorithms": ["RS256"], "public_key_file": "key.pem", "audience": ["api"]}
    config = write_config({"auth": {"issuers": [issuer]}})
    assert main(["check", "--config", str(config)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{config}: auth.issuers[0].public_key_file: ")
    assert (out.count("\n"), err) == (1, "")


def shop_config(address: str, *routes: dict[str, Any], **service: Any) -> dict[str, Any]:
    return {"services": {"shop": {"address": address, **service}}, "routes": list(routes)}


async def test_live_says_what_each_backend_offers(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    config = shop_config(backend.address, route("get", "/items/{id}", "Shop/GetItem"))
    assert await check(write_config(config), live=True) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"shop: {backend.address}: 3 services, 8 methods (v1)",
        "ok: 1 service, 1 route",
    ]


async def test_live_counts_exposed_routes(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    config = shop_config(backend.address, expose=["methods"])
    assert await check(write_config(config), live=True) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "ok: 1 service, 8 routes"


async def test_live_says_why_a_route_cannot_be_served(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    config = shop_config(
        backend.address,
        route("gone", "/a", "Shop/GetItm"),
        route("fine", "/b", "Shop/GetItem"),
        route("bodied", "/c", "Shop/GetItem", body="nope"),
        route("unclear", "/d", "Till/Pay"),
    )
    assert await check(write_config(config), live=True) == 1
    _, *problems = capsys.readouterr().out.splitlines()
    assert [problem.partition(": ")[0] for problem in problems] == ["gone", "bodied", "unclear"]
    assert problems[0].startswith("gone: service 'shop.v1.Shop' has no method 'GetItm'; there are: GetItem, ")
    assert "no field `nope` in shop.v1.GetItemRequest" in problems[1]
    assert problems[2] == "unclear: service name 'Till' is ambiguous: shop.v1.Till, stock.v1.Till"


async def test_live_warns_of_variables_that_bind_nothing_and_of_hidden_routes(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    hiding = route("mine", "/shop.v1.Till/Pay", "shop.v1.Till/Pay", method="POST")
    config = shop_config(
        backend.address, route("get", "/items/{name}", "Shop/GetItem"), hiding, expose=["methods"]
    )
    assert await check(write_config(config), live=True) == 0
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    unbound = "warning: get: path variable 'name' names no field of shop.v1.GetItemRequest"
    assert any(warning.startswith(unbound) for warning in warnings)
    assert any("POST /shop.v1.Till/Pay is taken by mine" in warning for warning in warnings)


async def test_live_asks_the_others_when_a_backend_is_down(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig
) -> None:
    down = f"127.0.0.1:{free_port()}"
    services = {"down": {"address": down}, "shop": {"address": backend.address}}
    config = {"services": services, "routes": [route("get", "/a", "Shop/GetItem", service="down")]}
    assert await check(write_config(config), live=True) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"down: {down}: reflection: ")
    assert "Connection refused" in first
    assert second == f"shop: {backend.address}: 3 services, 8 methods (v1)"


async def test_live_says_when_a_certificate_cannot_be_read(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    config = write_config(shop_config(backend.address, tls={"ca": "ca.pem"}))
    assert await check(config, live=True) == 1
    assert capsys.readouterr().out.startswith(f"shop: {backend.address}: ")


async def test_live_reads_a_descriptor_set_instead_of_asking(
    backend: RecordingBackend, capsys: Output, write_config: WriteConfig, tmp_path: Path
) -> None:
    (tmp_path / "shop.binpb").write_bytes(backend.schema.files.SerializeToString())
    config = shop_config("127.0.0.1:1", route("get", "/a", "Shop/GetItem"), descriptor_set="shop.binpb")
    assert await check(write_config(config), live=True) == 0
    assert capsys.readouterr().out.startswith("shop: 127.0.0.1:1: 3 services, 8 methods (descriptor_set)\n")
    assert backend.reflection_calls == []
