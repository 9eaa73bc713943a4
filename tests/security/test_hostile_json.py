"""JSON that readers could take for different things, or that costs more than it says: 400, and no call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from tests.e2e.shop import Site, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

BAD: Final = {
    "nested too deeply": (b"[" * 101 + b"]" * 101, "nested deeper than 100"),
    "nested without an end": (b"[" * 100_000, "nested deeper than 100"),
    "number of 5000 digits": (b"1" * 5000, "number out of range"),
    "1e400": (b"1e400", "number out of range"),
    "-1e400": (b"-1e400", "number out of range"),
    "NaN": (b"NaN", "`NaN` is not a JSON value"),
    "Infinity": (b"-Infinity", "`-Infinity` is not a JSON value"),
    "duplicate keys": (b'{"a":1,"\\u0061":1}', "duplicate key `a`"),
    "lone surrogate": (b'"\\ud800"', "lone surrogate in a string"),
    "lone surrogate in UTF-8": (b'"\xed\xa0\x80"', "not UTF-8"),
    "Arabic digits": ("\u0661".encode(), "line 1 column"),
    "hexadecimal": (b"0x10", "line 1 column"),
    "underscore": (b"1_0", "line 1 column"),
    "comment": (b"1/**/", "line 1 column"),
    "control byte": (b'"\x00"', "line 1 column"),
}
WHOLE: Final = {
    "byte order mark": (b'\xef\xbb\xbf{"user":"ada"}', "line 1 column 1"),
    "trailing data": (b'{"user":"ada"} {}', "line 1 column 16"),
    "trailing comma": (b'{"user":"ada",}', "line 1 column 15"),
    "two members of one name": (b'{"user":"ada","user":"root"}', "duplicate key `user`"),
    "UTF-16": ('{"user":"ada"}'.encode("utf-16"), "not UTF-8"),
    "NUL behind it": (b'{"user":"ada"}\0', "line 1 column 15"),
}
FILLER: Final = b"{}," * 200_000
"""What is read in pieces."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "services": {"shop": {"address": backend.address}},
            "routes": [route("create-order", "POST", "/orders", "CreateOrder")],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("json")) as gateway:
            yield Site(gateway=gateway, backend=backend)


async def assert_refused(site: Site, body: bytes, problem: str) -> None:
    answer = await site.gateway.client.post("/orders", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert answer.json()["error"]["message"].startswith(f"malformed JSON: {problem}")
    assert site.backend.calls == []


@pytest.mark.parametrize("what", BAD)
async def test_value(site: Site, what: str) -> None:
    value, problem = BAD[what]
    await assert_refused(site, b'{"user":"ada","items":' + value + b"}", problem)


@pytest.mark.parametrize("what", BAD)
async def test_value_in_a_long_body(site: Site, what: str) -> None:
    value, problem = BAD[what]
    await assert_refused(site, b'{"items":[' + FILLER + value + b"]}", problem)


@pytest.mark.parametrize("what", WHOLE)
async def test_body(site: Site, what: str) -> None:
    await assert_refused(site, *WHOLE[what])


async def test_name_that_comes_again_after_a_long_value(site: Site) -> None:
    body = b'{"user":"ada","items":[' + FILLER + b'{}],"user":"root"}'
    await assert_refused(site, body, "duplicate key `user`")


async def test_good_ones_are_taken(site: Site) -> None:
    answer = await site.gateway.client.post("/orders", content=b'{"user":"ada","items":[' + FILLER + b"{}]}")
    assert answer.status_code == 200
    (call,) = site.backend.calls
    assert (call.message.user, len(call.message.items)) == ("ada", 200_001)
