"""Another configuration for a running gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import yaml

from tests.e2e.asking import asking
from tests.e2e.shop import CREATE_ORDER, GET_ORDER, eventually, issuer, route, schema
from tests.support.backend import Answer, Call, RecordingBackend
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.ports import free_port
from tests.support.raw import exchange, request
from tests.support.tokens import bearer

KEPT: Final = route("kept", "GET", "/orders/{order_id}")
OLD: Final = route("old", "GET", "/old/{order_id}")
NEW: Final = route("new", "GET", "/new/{order_id}")


def _config(backend: RecordingBackend, **sections: Any) -> dict[str, Any]:
    return {"services": {"shop": {"address": backend.address}}, "routes": [KEPT, OLD], **sections}


def _replace(file: Path, text: str) -> None:
    """Put another file in its place, whole and at once, as editors do."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


def _change(gateway: RunningGateway, **sections: Any) -> None:
    """Put other sections into the configuration file."""
    config = yaml.safe_load(gateway.config_file.read_text())
    _replace(gateway.config_file, yaml.safe_dump({**config, **sections}, sort_keys=False))


async def _reload(gateway: RunningGateway) -> list[dict[str, Any]]:
    answer = await gateway.admin.post("/reload")
    assert answer.status_code == 200
    outcomes: list[dict[str, Any]] = answer.json()["workers"]
    return outcomes


async def _assert_new_routes(gateway: RunningGateway) -> None:
    assert (await gateway.client.get("/new/7")).status_code == 200
    assert (await gateway.client.get("/old/7")).status_code == 404


async def test_reload_under_load(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend, running_gateway(_config(backend), tmp_path) as gateway:
        assert (await gateway.client.get("/old/7")).status_code == 200
        async with asking(gateway, "/orders/7") as answers:
            for _ in range(5):
                _change(gateway, routes=[KEPT, NEW])
                (outcome,) = await _reload(gateway)
                assert outcome["ok"]
                await _assert_new_routes(gateway)
                _change(gateway, routes=[KEPT, OLD])
                assert (await _reload(gateway))[0]["generation"] > outcome["generation"]
                assert (await gateway.client.get("/new/7")).status_code == 404
        assert {answer.status_code for answer in answers} == {200}
        assert len(backend.peers) == 1


async def test_changed_files_are_noticed(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend:
        config = _config(backend, routes_file="routes.yaml")
        del config["routes"]
        files = {"routes.yaml": yaml.safe_dump({"routes": [KEPT, OLD]})}
        async with running_gateway(config, tmp_path, files=files) as gateway:
            async with asking(gateway, "/orders/7") as answers:
                _replace(tmp_path / "routes.yaml", yaml.safe_dump({"routes": [KEPT, NEW]}))
                await eventually(200, lambda: gateway.client.get("/new/7"))
                await _assert_new_routes(gateway)
                _replace(
                    tmp_path / "config.yaml", gateway.config_file.read_text() + "json: {enums_as_ints: true}"
                )
                await gateway.process.wait_for_line(lambda _: _reloads(gateway) == 2)
            assert {answer.status_code for answer in answers} == {200}
            config = (await gateway.admin.get("/config")).json()
            assert config["json"]["enums_as_ints"] is True


def _reloads(gateway: RunningGateway) -> int:
    return len([line for line in gateway.lines if line["event"] == "reload"])


async def test_bad_file_keeps_the_old_state_and_is_reported(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend, running_gateway(_config(backend), tmp_path) as gateway:
        good = gateway.config_file.read_text()
        for bad, problem in (
            (good.replace("path: /old", "paht: /old"), "paht"),
            (good.replace("service: shop", "service: ship"), "ship"),
            ("services: [", "config.yaml"),
            ("", "config.yaml"),
        ):
            before = _failures(gateway)
            _replace(gateway.config_file, bad)
            answer = await gateway.admin.post("/reload")
            assert answer.status_code == 400
            assert problem in answer.text
            assert (await gateway.client.get("/orders/7")).status_code == 200
            await _wait_for_failures(gateway, before + 1)
        _replace(gateway.config_file, good)
        _change(gateway, routes=[KEPT, NEW])
        await eventually(200, lambda: gateway.client.get("/new/7"))


def _failures(gateway: RunningGateway) -> int:
    return len([line for line in gateway.lines if line["event"].startswith("reload failed")])


async def _wait_for_failures(gateway: RunningGateway, count: int) -> None:
    await gateway.process.wait_for_line(lambda _: _failures(gateway) >= count)


async def test_bad_file_is_reported_when_nobody_asks(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend, running_gateway(_config(backend), tmp_path) as gateway:
        _change(gateway, nonsense=1)
        await gateway.process.wait_for_line("reload failed")
        (line,) = [line for line in gateway.lines if line["event"].startswith("reload failed")]
        assert line["level"] == "error"
        (problem,) = line["problems"]
        assert "config.yaml" in problem
        assert "nonsense" in problem


async def test_backend_moves_and_calls_in_flight_end_where_they_began(tmp_path: Path) -> None:
    arrived, moved = asyncio.Event(), asyncio.Event()

    async def slow(_: Call) -> Answer:
        arrived.set()
        await moved.wait()
        return Answer(messages=[schema().message("shop.v1.Order", id="first")])

    order = schema().message("shop.v1.Order", id="second")
    async with (
        RecordingBackend(schema()) as first,
        RecordingBackend(schema(), {GET_ORDER: order}) as second,
        running_gateway(_config(first), tmp_path) as gateway,
    ):
        assert (await gateway.client.get("/orders/7")).json() == {}
        async with asking(gateway, "/orders/7") as answers:
            first.replies[CREATE_ORDER] = slow
            _change(gateway, routes=[KEPT, route("new", "POST", "/new", "CreateOrder")])
            await _reload(gateway)
            in_flight = asyncio.create_task(gateway.client.post("/new"))
            await arrived.wait()
            _change(gateway, services={"shop": {"address": second.address}})
            await _reload(gateway)
            assert (await gateway.client.get("/orders/7")).json() == {"id": "second"}
            moved.set()
            assert (await in_flight).json() == {"id": "first"}
        assert {answer.status_code for answer in answers} == {200}
        assert answers[-1].json() == {"id": "second"}


async def test_address_that_leads_nowhere_costs_only_its_service(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend, running_gateway(_config(backend), tmp_path) as gateway:
        lost = {"address": f"127.0.0.1:{free_port()}"}
        shop = {"address": backend.address}
        routes = [KEPT, route("lost", "GET", "/lost", service="lost")]
        _change(gateway, services={"shop": shop, "lost": lost}, routes=routes)
        await _reload(gateway)
        assert (await gateway.client.get("/orders/7")).status_code == 200
        assert (await gateway.client.get("/lost")).status_code == 503
        _change(gateway, services={"shop": shop}, routes=[KEPT])
        await _reload(gateway)
        assert (await gateway.client.get("/lost")).status_code == 404
        assert (await gateway.admin.get("/services/lost")).status_code == 404


async def test_keys_and_limits_are_taken_over(tmp_path: Path) -> None:
    other = "another-secret-of-thirty-two-bytes"
    async with RecordingBackend(schema()) as backend:
        config = _config(backend, auth={"issuers": [issuer()]})
        async with running_gateway(config, tmp_path) as gateway:
            client = gateway.client
            assert (await client.get("/orders/7", headers=bearer())).status_code == 200
            server = yaml.safe_load(gateway.config_file.read_text())["server"]
            limits = {**server, "max_request_body": "1KiB", "request_timeout": "2s"}
            new = route("new", "POST", "/new", "CreateOrder", auth_required=False)
            _change(gateway, auth={"issuers": [issuer(secret=other)]}, server=limits, routes=[KEPT, new])
            await _reload(gateway)
            assert (await client.get("/orders/7", headers=bearer())).status_code == 401
            assert (await client.get("/orders/7", headers=bearer(other))).status_code == 200
            fresh = await exchange(gateway.url, request("POST", "/new", body=b" " * 2000))
            assert fresh.status == 413
            assert backend.calls[-1].timeout is not None
            assert backend.calls[-1].timeout <= 2.1


async def test_what_needs_a_restart_is_said(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend, running_gateway(_config(backend), tmp_path) as gateway:
        _change(gateway, server={"host": "127.0.0.1", "port": free_port()})
        (outcome,) = await _reload(gateway)
        assert outcome["needs_restart"] == ["server.port"]
        assert (await gateway.client.get("/orders/7")).status_code == 200


async def test_every_worker_reloads(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend:
        config = _config(backend, server={"workers": 2})
        async with running_gateway(config, tmp_path) as gateway:
            await gateway.process.wait_for_line(lambda _: _ready(gateway) == 2)
            _change(gateway, routes=[KEPT, NEW])
            outcomes = await _reload(gateway)
            assert len({outcome["worker"] for outcome in outcomes}) == 2
            assert all(outcome["ok"] for outcome in outcomes)
            _replace(gateway.config_file, "services: [")
            assert (await gateway.admin.post("/reload")).status_code == 400
            await _assert_new_routes(gateway)


def _ready(gateway: RunningGateway) -> int:
    return len([line for line in gateway.lines if line["event"] == "ready"])
