"""The configuration of a worker, from start to reload."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.security.minting import ec_key, pem
from tests.support.events import Events
from tests.support.metrics import Counts
from transcoder import watch
from transcoder.config.model import Config
from transcoder.gateway import Gateway
from transcoder.server import configuration as module
from transcoder.server.configuration import Configuration
from transcoder.server.options import ServeOptions
from transcoder.server.team import Team

MORE: Final = "{server: {request_timeout: 2s}, routes_file: routes.yaml}"
WITH_KEY: Final = (
    "auth: {issuers: [{name: a, public_key_file: public.pem, algorithms: [ES256], audience: [api]}]}"
)


class World:
    """What a configuration touches."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text("server: {request_timeout: 1s}")
        self.events, self.counts = Events(), Counts()
        self.gateway = Gateway(log=self.events)
        self.team = Team(size=2, folder=folder)
        self.applied: list[Config] = []

    def configuration(self, options: ServeOptions | None = None) -> Configuration:
        options = options or ServeOptions(path=str(self.file))
        return Configuration(
            options,
            options.load(),
            self.gateway,
            self.team,
            on_change=self.applied.append,
            tls=None,
            log=self.events,
            meter=self.counts,
        )

    @property
    def timeout(self) -> float:
        return self.gateway.snapshot.config.server.request_timeout


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    one = World(tmp_path)
    yield one
    await one.gateway.close(0)


async def test_start_and_reload(world: World) -> None:
    subject = world.configuration()
    await subject.start()
    assert (world.timeout, subject.is_current) == (1, True)
    started = subject.taken_over_at
    world.file.write_text("server: {request_timeout: 2s, port: 1}")
    outcome = await subject.reload()
    assert outcome == {
        "ok": True,
        "generation": world.gateway.snapshot.generation,
        "needs_restart": ["server.port"],
    }
    assert (world.timeout, len(world.applied)) == (2, 2)
    assert subject.taken_over_at >= started > 0
    assert world.team.recall() == {world.file: world.file.read_bytes()}
    assert world.counts.by("outcome", "transcoder_config_reloads_total") == {"ok": 1}


async def test_bad_file_changes_nothing(world: World) -> None:
    subject = world.configuration()
    await subject.start()
    await subject.reload()
    good, taken_over_at = world.team.recall(), subject.taken_over_at
    world.file.write_text("server: [")
    outcome = await subject.reload()
    assert not outcome["ok"]
    assert "config.yaml" in outcome["problems"][0]
    assert (world.timeout, subject.is_current, subject.taken_over_at) == (1, False, taken_over_at)
    assert world.team.recall() == good
    assert world.counts.by("outcome", "transcoder_config_reloads_total") == {"ok": 1, "failed": 1}
    world.file.write_text("server: {request_timeout: 3s}")
    assert (await subject.reload())["ok"]
    assert (world.timeout, subject.is_current) == (3, True)


async def test_configuration_that_cannot_be_remembered_is_used(world: World, tmp_path: Path) -> None:
    """A full disk is no reason to refuse it."""
    world.team = Team(size=2, folder=tmp_path / "no" / "such" / "folder")
    subject = world.configuration()
    await subject.start()
    world.file.write_text("server: {request_timeout: 2s}")
    assert (await subject.reload())["ok"]
    assert world.timeout == 2
    (event,) = world.events.named("the configuration is not remembered")
    assert "No such file" in event.fields["reason"]


async def test_change_between_loading_and_watching(world: World) -> None:
    """While the gateway is started with what was loaded."""
    subject = world.configuration()
    world.file.write_text("server: {request_timeout: 2s}")
    await subject.start()
    assert world.timeout == 1
    task = asyncio.create_task(subject.watch())
    await world.events.wait_for("reload")
    assert world.timeout == 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def watched(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(watch, "CHECK_EVERY", 100)
    subject = world.configuration()
    await subject.start()
    task = asyncio.create_task(subject.watch())
    yield world
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def refusal_of(world: World, text: str) -> str:
    """Write another configuration, and wait for what is said against it."""
    world.file.write_text(text)
    event = await world.events.wait_for("reload failed, the old configuration stays")
    (problem,) = event.fields["problems"]
    return str(problem)


async def test_file_that_only_a_refused_configuration_names(watched: World) -> None:
    """It is mended alone."""
    routes = watched.file.with_name("routes.yaml")
    routes.write_text("routes: 7")
    assert "routes.yaml:1" in await refusal_of(watched, MORE)
    routes.write_text("routes: []")
    await watched.events.wait_for("reload")
    assert watched.timeout == 2


async def test_file_that_a_refused_configuration_misses(watched: World) -> None:
    assert "no such file" in await refusal_of(watched, MORE)
    watched.file.with_name("routes.yaml").write_text("routes: []")
    await watched.events.wait_for("reload")
    assert watched.timeout == 2


@pytest.mark.parametrize("bad", [None, "no key"])
async def test_key_that_a_refused_configuration_names(watched: World, bad: str | None) -> None:
    key = watched.file.with_name("public.pem")
    if bad is not None:
        key.write_text(bad)
    assert "public_key_file" in await refusal_of(watched, WITH_KEY)
    key.write_bytes(pem(ec_key()))
    await watched.events.wait_for("reload")
    assert watched.gateway.snapshot.config.auth.issuers


async def test_gateway_without_files_watches_none(world: World) -> None:
    subject = world.configuration(ServeOptions(backends=("127.0.0.1:1",)))
    async with asyncio.timeout(5):
        await subject.watch()
    assert world.events.all == []


async def test_watch_that_breaks_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("no more watches")

    monkeypatch.setattr(module, "watch_files", broken)
    await world.configuration().watch()
    (event,) = world.events.all
    assert (event.level, event.event) == ("error", "the configuration is not watched any more")
