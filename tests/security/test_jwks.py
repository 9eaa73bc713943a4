from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.security.minting import Clock, ec_key, jwk, jwks
from tests.support.metrics import Counts
from transcoder.security.fetch import FetchError
from transcoder.security.jwks import COOLDOWN, REFRESH_INTERVAL, Jwks, KeysUnavailable
from transcoder.security.keys import keys_from_jwks

OLD = jwks(jwk(ec_key("old"), "old"))
NEW = jwks(jwk(ec_key("new"), "new"))


class World:
    """What a Jwks touches: a document, time, sleep, and who is told of new keys."""

    def __init__(self, document: bytes | Exception = OLD) -> None:
        self.document: bytes | Exception = document
        self.clock = Clock()
        self.counts = Counts()
        self.fetches = 0
        self.changes = 0
        self.naps: list[float] = []
        self.napping = asyncio.Event()
        self.wake = asyncio.Event()
        self.asked = asyncio.Event()
        self.hold = asyncio.Event()
        self.hold.set()
        self.jwks = Jwks(
            "main",
            fetch=self.fetch,
            parse=lambda document: keys_from_jwks(document, ["ES256"]),
            on_change=self.changed,
            clock=self.clock,
            sleep=self.sleep,
            meter=self.counts,
        )

    def changed(self) -> None:
        self.changes += 1

    async def fetch(self) -> bytes:
        self.fetches += 1
        self.asked.set()
        await self.hold.wait()
        if isinstance(self.document, Exception):
            raise self.document
        return self.document

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.napping.set()
        await self.wake.wait()
        self.wake.clear()

    async def next_nap(self) -> float:
        await asyncio.wait_for(self.napping.wait(), 5)
        self.napping.clear()
        return self.naps[-1]

    async def found(self, kid: str | None) -> int:
        return len(await self.jwks.find("ES256", kid))


async def test_loads_on_first_need() -> None:
    world = World()
    assert await world.found("old") == 1
    assert (world.fetches, world.changes) == (1, 1)
    assert await world.found("old") == 1
    assert world.fetches == 1


async def test_readings_are_counted() -> None:
    world = World()
    await world.jwks.refresh()
    await world.jwks.refresh()
    world.document = FetchError("no")
    await world.jwks.refresh()
    world.document = b"no keys"
    await world.jwks.refresh()
    assert world.counts.by("outcome", "transcoder_jwks_refreshes_total") == {"ok": 2, "failed": 2}
    assert world.counts.by("issuer", "transcoder_jwks_refreshes_total") == {"main": 4}


async def test_key_of_another_algorithm_is_not_found() -> None:
    assert await World().jwks.find("RS256", "old") == []


async def test_unknown_kid_refreshes_once_per_cooldown() -> None:
    world = World()
    await world.found("old")
    world.document = NEW
    assert await world.found("new") == 0
    world.clock.now += COOLDOWN - 0.1
    assert await world.found("new") == 0
    assert world.fetches == 1
    world.clock.now += 0.1
    assert await world.found("new") == 1
    assert await world.found("gone") == 0
    assert world.fetches == 2


async def test_clock_set_back_does_not_stop_refreshing() -> None:
    world = World()
    await world.found("old")
    world.document = NEW
    world.clock.now -= 86400
    assert await world.found("new") == 1
    assert world.jwks.describe()["age"] == 0.0


async def test_good_refresh_drops_removed_keys() -> None:
    world = World()
    await world.found("old")
    world.document = NEW
    await world.jwks.refresh()
    assert await world.found("old") == 0
    assert world.changes == 2


async def test_same_document_is_no_change() -> None:
    world = World()
    await world.jwks.refresh()
    world.clock.now += 100
    await world.jwks.refresh()
    assert (world.fetches, world.changes, world.jwks.describe()["age"]) == (2, 1, 0.0)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (FetchError("answered 500"), "answered 500"),
        (RuntimeError("secret"), "RuntimeError"),
        (b"<html>", "not a JWK set"),
        (b'{"keys": []}', "no usable key"),
        (
            jwks({"kty": "oct", "k": "eA"}),
            "no usable key; keys[0]: a symmetric key has no place in a JWK set",
        ),
    ],
)
async def test_failed_refresh_keeps_the_keys(document: Any, error: str) -> None:
    world = World()
    await world.jwks.refresh()
    world.clock.now += 50
    world.document = document
    await world.jwks.refresh()
    assert await world.found("old") == 1
    assert world.changes == 1
    assert world.jwks.describe() == {"keys": 1, "refused": [], "age": 50.0, "error": error}
    world.document = NEW
    await world.jwks.refresh()
    assert world.jwks.describe() == {"keys": 1, "refused": [], "age": 0.0, "error": None}


async def test_never_loaded() -> None:
    world = World(FetchError("down"))
    for _ in range(3):
        with pytest.raises(KeysUnavailable, match="no keys of issuer main yet"):
            await world.found("old")
    assert world.fetches == 1
    assert world.jwks.describe() == {"keys": 0, "refused": [], "age": None, "error": "down"}


async def test_refused_keys_are_told() -> None:
    world = World(jwks({"kty": "oct", "k": "eA"}, jwk(ec_key("old"), "old")))
    assert await world.found("old") == 1
    assert world.jwks.describe()["refused"] == ["keys[0]: a symmetric key has no place in a JWK set"]


async def test_without_kid_the_first_few_keys() -> None:
    world = World(jwks(*(jwk(ec_key("old"), f"k{n}") for n in range(20))))
    assert await world.found(None) == 8


async def test_those_who_need_it_share_one_fetch() -> None:
    world = World()
    world.hold.clear()
    waiting = [asyncio.create_task(world.found("old")) for _ in range(50)]
    await asyncio.wait_for(world.asked.wait(), 5)
    waiting.pop().cancel()
    await asyncio.sleep(0)
    world.hold.set()
    assert await asyncio.gather(*waiting) == [1] * 49
    assert world.fetches == 1
    await world.jwks.close()


async def test_background_refresh() -> None:
    world = World(FetchError("down"))
    world.jwks.start()
    assert await world.next_nap() == COOLDOWN
    assert world.jwks.describe()["error"] == "down"
    world.document = OLD
    world.wake.set()
    assert await world.next_nap() == REFRESH_INTERVAL
    assert await world.found("old") == 1
    assert world.fetches == 2
    await world.jwks.close()


async def test_close_ends_a_fetch_and_frees_who_waits() -> None:
    world = World()
    world.hold.clear()
    world.jwks.start()
    await asyncio.wait_for(world.asked.wait(), 5)
    waiting = asyncio.create_task(world.found("old"))
    await asyncio.sleep(0)
    await world.jwks.close()
    with pytest.raises(KeysUnavailable):
        await waiting
    assert len(asyncio.all_tasks()) == 1


async def test_close_without_start() -> None:
    await World().jwks.close()


async def test_trouble_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world = World()
    for document in (FetchError("down"), FetchError("down"), FetchError("slow"), OLD, OLD):
        world.document = document
        await world.jwks.refresh()
    assert caplog.messages == [
        "keys of issuer 'main' not refreshed: down",
        "keys of issuer 'main' not refreshed: slow",
        "keys of issuer 'main' refreshed again",
    ]
