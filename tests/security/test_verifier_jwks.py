"""Verification with keys of a real server that is down, slow, rotating, and so on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.security.jwks_server import Answer, JwksServer, answer, endless, hang_up, running_jwks_server
from tests.security.minting import ISSUER, NOW, Clock, ec_key, jwk, jwks, refusal, rsa_key, token, verifier
from tests.support.ports import free_port
from transcoder.errors import SERVICE_UNAVAILABLE, TranscodeError
from transcoder.security.jwks import COOLDOWN
from transcoder.security.verifier import Verifier

OLD = jwks(jwk(rsa_key("old"), "old"))
BOTH = jwks(jwk(rsa_key("old"), "old"), jwk(rsa_key("new"), "new"))
NEW = jwks(jwk(rsa_key("new"), "new"))


class Naps:
    """Instead of sleep: sleeps until told to wake, and says when it has fallen asleep."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self.alarm = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        self.asleep.set()
        await self.alarm.wait()
        self.alarm.clear()

    async def until_asleep(self) -> None:
        await asyncio.wait_for(self.asleep.wait(), 10)
        self.asleep.clear()

    async def next_round(self) -> None:
        self.alarm.set()
        await self.until_asleep()


def signed(kid: str, /, name: str | None = None, **claims: Any) -> str:
    claims = {"iss": ISSUER, "exp": NOW + 3600, **claims}
    return f"Bearer {token(rsa_key(name or kid), 'RS256', headers={'kid': kid}, **claims)}"


def by_url(url: str, clock: Clock, naps: Naps | None = None, *others: dict[str, Any]) -> Verifier:
    issuer = {"issuer": ISSUER, "algorithms": ["RS256"], "jwks_url": url}
    return verifier(issuer, *others, clock=clock, sleep=(naps or Naps()).sleep)


async def unavailable(subject: Verifier, value: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        await subject.verify([value])
    assert caught.value.kind is SERVICE_UNAVAILABLE
    assert caught.value.message == "service unavailable"
    assert caught.value.reason == "no keys of issuer i0 yet"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[JwksServer]:
    async with running_jwks_server() as subject:
        subject.answer = answer(OLD)
        yield subject


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_keys_come_in_the_background(server: JwksServer, clock: Clock) -> None:
    naps = Naps()
    subject = by_url(server.url, clock, naps)
    await subject.start()
    await naps.until_asleep()
    assert subject.describe()[0]["keys"] == 1
    assert (await subject.verify([signed("old")])).user_id == "user-1"
    assert len(server.requests) == 1
    await subject.close()


async def test_start_does_not_wait_and_the_first_request_does(server: JwksServer, clock: Clock) -> None:
    server.hold.clear()
    subject = by_url(server.url, clock)
    await subject.start()
    first = asyncio.create_task(subject.verify([signed("old")]))
    await asyncio.wait_for(server.asked.wait(), 10)
    server.hold.set()
    assert (await first).user_id == "user-1"
    assert len(server.requests) == 1
    await subject.close()


async def test_down_at_start(clock: Clock) -> None:
    naps = Naps()
    subject = by_url(f"http://127.0.0.1:{free_port()}/", clock, naps)
    await subject.start()
    await naps.until_asleep()
    await unavailable(subject, signed("old"))
    await refusal(subject, "Bearer a.b.c")
    await refusal(subject, signed("old", iss="https://other.example.com"))
    assert subject.describe()[0]["error"] == "request failed: ConnectError"
    await subject.close()


async def test_other_issuers_serve_while_one_has_no_keys(clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(OLD)
    same = {"issuer": ISSUER, "algorithms": ["RS256"], "jwks_file": str(tmp_path / "old.json")}
    subject = by_url(f"http://127.0.0.1:{free_port()}/", clock, None, same)
    assert (await subject.verify([signed("old")])).user_id == "user-1"
    await unavailable(subject, signed("new"))
    await subject.close()


async def test_comes_up_later(server: JwksServer, clock: Clock) -> None:
    naps = Naps()
    server.answer = answer(b"", "503 Service Unavailable")
    subject = by_url(server.url, clock, naps)
    await subject.start()
    await naps.until_asleep()
    server.answer = answer(OLD)
    await naps.next_round()
    assert (await subject.verify([signed("old")])).user_id == "user-1"
    await subject.close()


@pytest.mark.parametrize(
    "trouble",
    [
        answer(b"", "500 Oops"),
        answer(b"", "302 Found", location="/good"),
        answer(b"<html>"),
        answer(b'{"keys": []}'),
        endless,
        hang_up,
    ],
)
async def test_old_keys_serve_while_the_server_is_in_trouble(
    server: JwksServer, clock: Clock, trouble: Answer
) -> None:
    naps = Naps()
    subject = by_url(server.url, clock, naps)
    await subject.start()
    await naps.until_asleep()
    server.answer = trouble
    clock.now += 300
    await naps.next_round()
    assert subject.describe()[0]["error"] is not None
    assert subject.describe()[0]["age"] == 300
    assert (await subject.verify([signed("old")])).user_id == "user-1"
    await subject.close()


async def test_slow_server_does_not_hold_up_known_keys(server: JwksServer, clock: Clock) -> None:
    subject = by_url(server.url, clock)
    await subject.verify([signed("old")])
    clock.now += COOLDOWN
    server.hold.clear()
    server.asked.clear()
    waiting = [asyncio.create_task(refusal(subject, signed("new", jti=str(n)))) for n in range(20)]
    await asyncio.wait_for(server.asked.wait(), 10)
    assert (await subject.verify([signed("old", jti="other")])).user_id == "user-1"
    assert not any(task.done() for task in waiting)
    server.hold.set()
    await asyncio.gather(*waiting)
    assert len(server.requests) == 2
    await subject.close()


async def test_rotation(server: JwksServer, clock: Clock) -> None:
    """A new key is found by its first token after the cooldown; a removed one dies, its cached tokens too."""
    subject = by_url(server.url, clock)
    cached = signed("old")
    await subject.verify([cached])
    server.answer = answer(BOTH)
    assert (await refusal(subject, signed("new"))).reason == "invalid token: i0: unknown key"
    clock.now += COOLDOWN
    assert (await subject.verify([signed("new")])).user_id == "user-1"
    assert (await subject.verify([cached])).user_id == "user-1"
    server.answer = answer(NEW)
    clock.now += COOLDOWN
    await refusal(subject, signed("unknown"))
    assert (await refusal(subject, cached)).reason == "invalid token: i0: unknown key"
    assert (await subject.verify([signed("new")])).user_id == "user-1"
    assert len(server.requests) == 3
    await subject.close()


async def test_unknown_kids_cause_one_fetch_per_cooldown(server: JwksServer, clock: Clock) -> None:
    subject = by_url(server.url, clock)
    for n in range(100):
        await refusal(subject, signed(f"k{n}", "old"))
    assert len(server.requests) == 1
    clock.now += COOLDOWN
    for n in range(100):
        await refusal(subject, signed(f"k{n}", "old"))
    assert len(server.requests) == 2
    await subject.close()


async def test_hostile_kid_causes_no_fetch(server: JwksServer, clock: Clock) -> None:
    subject = by_url(server.url, clock)
    for kid in ("k" * 1000, "a\x00b", "a\nb"):
        await refusal(subject, signed(kid, "old"))
    assert server.requests == []


async def test_embedded_keys_are_not_used(server: JwksServer, clock: Clock) -> None:
    """The token is signed by the key it brings along; the places it names serve that key, and nobody asks."""
    server.answer = answer(OLD)
    subject = by_url(server.url, clock)
    evil = {"jwk": jwk(rsa_key("evil"), "old"), "x5c": ["AAAA"]}
    async with running_jwks_server() as elsewhere:
        elsewhere.answer = answer(jwks(jwk(rsa_key("evil"), "old")))
        headers = {"kid": "old", "jku": elsewhere.url, "x5u": elsewhere.url, **evil}
        text = token(rsa_key("evil"), "RS256", headers=headers, iss=ISSUER)
        assert (await refusal(subject, f"Bearer {text}")).reason == "invalid token: i0: wrong signature"
        text = token(rsa_key("old"), "RS256", headers=headers, iss=ISSUER)
        assert (await subject.verify([f"Bearer {text}"])).user_id == "user-1"
        assert elsewhere.requests == []
    await subject.close()


async def test_right_kid_wrong_key(server: JwksServer, clock: Clock) -> None:
    subject = by_url(server.url, clock)
    error = await refusal(subject, signed("old", "evil"))
    assert error.reason == "invalid token: i0: wrong signature"
    await subject.close()


async def test_hs_key_inside(server: JwksServer, clock: Clock) -> None:
    """A symmetric key of the set neither verifies nor spoils the rest of the set."""
    secret = "known to everybody who reads the set, thirty-two bytes"
    server.answer = answer(jwks({"kty": "oct", "kid": "hs", "k": "a25vd24"}, jwk(rsa_key("old"), "old")))
    subject = by_url(server.url, clock)
    assert (await subject.verify([signed("old")])).user_id == "user-1"
    for text in (token(secret, headers={"kid": "hs"}, iss=ISSUER), token(b"known" * 7, iss=ISSUER)):
        await refusal(subject, f"Bearer {text}")
    assert subject.describe()[0]["refused"] == ["keys[0]: a symmetric key has no place in a JWK set"]
    await subject.close()


async def test_token_without_kid(server: JwksServer, clock: Clock) -> None:
    server.answer = answer(BOTH)
    subject = by_url(server.url, clock)
    for name in ("old", "new"):
        text = token(rsa_key(name), "RS256", iss=ISSUER)
        assert (await subject.verify([f"Bearer {text}"])).user_id == "user-1"
    await refusal(subject, f"Bearer {token(rsa_key('evil'), 'RS256', iss=ISSUER)}")
    await subject.close()


async def test_file_is_read_again(tmp_path: Path, clock: Clock) -> None:
    naps = Naps()
    path = tmp_path / "keys.json"
    path.write_bytes(OLD)
    issuer = {"issuer": ISSUER, "algorithms": ["RS256"], "jwks_file": str(path)}
    subject = verifier(issuer, clock=clock, sleep=naps.sleep)
    cached = signed("old")
    await subject.verify([cached])
    await subject.start()
    await naps.until_asleep()
    for broken in (b"", jwks(jwk(ec_key()))):
        path.write_bytes(broken)
        await naps.next_round()
        assert (await subject.verify([cached])).user_id == "user-1"
    assert subject.describe()[0]["error"] == "no usable key"
    path.write_bytes(NEW)
    await naps.next_round()
    await refusal(subject, cached)
    assert (await subject.verify([signed("new")])).user_id == "user-1"
    path.unlink()
    await naps.next_round()
    assert (await subject.verify([signed("new")])).user_id == "user-1"
    await subject.close()
