"""Forged tokens against a gateway on a socket: one 401 for all of them, and nothing in it that would help."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
import pytest_asyncio

from tests.e2e.shop import Site, route, schema
from tests.security.jwks_server import JwksServer, answer, running_jwks_server
from tests.security.minting import ISSUER, jwk, jwks, pem, rsa_key
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

KID: Final = "signing-key-7"
SECRET_JWK: Final = {"kty": "oct", "kid": "shared", "k": base64.urlsafe_b64encode(b"s" * 48).decode()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """keys: whom the gateway believes; lure: where tokens say their keys are."""

    site: Site
    keys: JwksServer
    lure: JwksServer


def claims(**more: Any) -> dict[str, Any]:
    """Good claims, for longer than tests take, but for those that are given; `...` leaves one out."""
    good = {"sub": "ada", "iss": ISSUER, "aud": "shop", "exp": int(time.time()) + 7200, **more}
    return {name: value for name, value in good.items() if value is not ...}


def signed(
    key: Any = None, algorithm: str = "RS256", header: dict[str, Any] | None = None, **more: Any
) -> str:
    return jwt.encode(claims(**more), key or rsa_key(), algorithm, headers={"kid": KID, **(header or {})})


def by_hmac(secret: bytes, **header: Any) -> str:
    """Signed by HMAC with any bytes; libraries do not let public keys be used like this."""
    parts = ({"alg": "HS256", "typ": "JWT", **header}, claims())
    text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
    signature = jwt.get_algorithm_by_name("HS256").sign(text.encode(), secret)
    return f"{text}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


PUBLIC: Final = jwk(rsa_key(), KID)
FOREIGN: Final = {"jwk": jwk(rsa_key("evil"), KID)}
ATTACKS: Final = {
    "no signature": jwt.encode(claims(), "", "none"),
    "signature cut off": signed().rpartition(".")[0] + ".",
    "signed by another key": signed(rsa_key("evil")),
    "key in the token": signed(rsa_key("evil"), header=FOREIGN),
    "HMAC with the public key": by_hmac(pem(rsa_key()), kid=KID),
    "HMAC with the JWK": by_hmac(json.dumps(PUBLIC).encode(), kid=KID),
    "HMAC with the modulus": by_hmac(PUBLIC["n"].encode(), kid=KID),
    "HMAC with the key of the set": by_hmac(b"s" * 48, kid="shared"),
    "HMAC with nothing": by_hmac(b"", kid=KID),
    "another algorithm of the key": signed(algorithm="RS512"),
    "no iss": signed(iss=...),
    "wrong iss": signed(iss=f"{ISSUER}/"),
    "no aud": signed(aud=...),
    "wrong aud": signed(aud=["shopping", "sho"]),
    "no exp": signed(exp=...),
    "expired": signed(exp=int(time.time()) - 600),
    "exp of words": jwt.api_jws.encode(
        json.dumps(claims(exp="never")).encode(), rsa_key(), "RS256", {"kid": KID}
    ),
    "of the future": signed(nbf=int(time.time()) + 7100),
    "crit": signed(header={"crit": ["exp"]}),
    "b64": signed(header={"b64": False, "crit": ["b64"]}),
    "kid of a path": signed(header={"kid": "../../dev/null"}),
    "kid of a statement": signed(header={"kid": "x' UNION SELECT 's'--"}),
    "kid of lines": signed(header={"kid": 'x\r\n{"event":"forged"}'}),
    "long kid": signed(header={"kid": "k" * 3000}),
    "many periods": "." * 3000,
    "long": "A" * 12_000,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    async with (
        running_jwks_server() as keys,
        running_jwks_server() as lure,
        RecordingBackend(schema()) as backend,
    ):
        keys.answer = answer(jwks(PUBLIC, SECRET_JWK))
        lure.answer = answer(jwks(jwk(rsa_key("evil"), KID)))
        issuer = {
            "name": "tests",
            "issuer": ISSUER,
            "audience": ["shop"],
            "algorithms": ["RS256"],
            "jwks_url": keys.url,
        }
        config = {
            "auth": {"issuers": [issuer]},
            "services": {"shop": {"address": backend.address}},
            "routes": [route("mine", "GET", "/me/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("guarded")) as gateway:
            site = Site(gateway=gateway, backend=backend)
            yield Guarded(site=site, keys=keys, lure=lure)


async def assert_refused(guarded: Guarded, token: str) -> None:
    guarded.site.forget()
    refusal = await guarded.site.send("GET", "/me/orders/7", f"Authorization: Bearer {token}")
    assert refusal.status == 401
    assert refusal.header("www-authenticate") == "Bearer"
    error = refusal.json()["error"]
    assert error == {
        "code": "UNAUTHENTICATED",
        "message": "invalid token",
        "request_id": refusal.header("x-request-id"),
    }
    assert guarded.site.backend.calls == []


@pytest.mark.parametrize("attack", ATTACKS)
async def test_attack_is_refused_like_any_other(guarded: Guarded, attack: str) -> None:
    await assert_refused(guarded, ATTACKS[attack])


@pytest.mark.parametrize("name", ["jku", "x5u"])
async def test_nobody_is_asked_for_the_keys_a_token_names(guarded: Guarded, name: str) -> None:
    await assert_refused(guarded, signed(rsa_key("evil"), header={name: guarded.lure.url}))
    assert guarded.lure.requests == []


async def test_token_of_64_kilobytes_is_not_even_read(guarded: Guarded) -> None:
    refusal = await guarded.site.send("GET", "/me/orders/7", f"Authorization: Bearer {'A' * 65_536}")
    assert refusal.status == 431


async def test_attacks_are_cheap(guarded: Guarded) -> None:
    """A token that is refused costs no more than some signatures do, whatever it is made of."""
    for attack in ATTACKS.values():
        await assert_refused(guarded, attack)
    before = cpu_seconds(guarded.site.gateway.process.pid)
    for attack in ATTACKS.values():
        await assert_refused(guarded, attack)
    assert cpu_seconds(guarded.site.gateway.process.pid) - before < 0.01 * len(ATTACKS)


def cpu_seconds(pid: int) -> float:
    """What a process has worked."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def test_good_token_passes_after_all_that(guarded: Guarded) -> None:
    """The unknown keys above cost one fetch of the cooldown, beside the first one."""
    for attack in ATTACKS.values():
        await assert_refused(guarded, attack)
    passed = await guarded.site.send("GET", "/me/orders/7", f"Authorization: Bearer {signed()}")
    assert passed.status == 200
    assert guarded.site.backend.calls[0].values("x-user-id") == ["ada"]
    assert len(guarded.keys.requests) <= 2
    lines = guarded.site.gateway.process.stderr
    assert "forged" not in {json.loads(line)["event"] for line in lines}
    assert not [token for token in ATTACKS.values() if token in "\n".join(lines)]
