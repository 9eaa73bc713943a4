"""The call behind a request: its deadline, its end when the client goes, and its connection."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from tests.e2e.shop import GET_ORDER, Site
from tests.support.backend import Answer, Call
from tests.support.raw import connect, request


async def hold(_: Call) -> Answer:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


@pytest.mark.parametrize(
    ("target", "headers", "seconds"),
    [
        ("/orders/7", {}, 25),
        ("/patient/7", {}, 25),
        ("/hasty/7", {}, 2),
        ("/hasty-service/7", {}, 3),
        ("/slow-service/7", {}, 30),
        ("/orders/7", {"Grpc-Timeout": "7S"}, 7),
        ("/orders/7", {"Grpc-Timeout": "6500m"}, 6.5),
        ("/orders/7", {"Grpc-Timeout": "1H"}, 25),
        ("/orders/7", {"X-Request-Timeout": "1.5"}, 1.5),
        ("/orders/7", {"X-Request-Timeout": "4", "Grpc-Timeout": "9S"}, 4),
        ("/orders/7", {"X-Request-Timeout": "9", "Grpc-Timeout": "4S"}, 4),
        ("/hasty/7", {"X-Request-Timeout": "9"}, 2),
        ("/hasty-service/7", {"Grpc-Timeout": "1S"}, 1),
    ],
)
async def test_backend_sees_the_smallest_deadline(
    site: Site, target: str, headers: dict[str, str], seconds: float
) -> None:
    assert (await site.gateway.client.get(target, headers=headers)).status_code == 200
    timeout = site.backend.calls[0].timeout
    assert timeout is not None
    # what has passed by the time it is read, and the tenth gRPC may round up
    assert seconds - 0.5 < timeout <= seconds * 1.01 + 0.1


@pytest.mark.parametrize(
    "header",
    [
        "Grpc-Timeout: 5",
        "Grpc-Timeout: S",
        "Grpc-Timeout: 5s",
        "Grpc-Timeout: -5S",
        "Grpc-Timeout: 123456789S",
        "Grpc-Timeout: ",
        "X-Request-Timeout: -1",
        "X-Request-Timeout: 1e3",
        "X-Request-Timeout: inf",
        "X-Request-Timeout: 5s",
    ],
)
async def test_malformed_deadline_is_a_bad_request(site: Site, header: str) -> None:
    answer = await site.send("GET", "/orders/7", header)
    assert (answer.status, answer.json()["error"]["code"]) == (400, "INVALID_ARGUMENT")
    assert header.partition(":")[0].lower() in answer.json()["error"]["message"]
    assert site.backend.calls == []


@pytest.mark.parametrize("header", ["Grpc-Timeout: 0S", "Grpc-Timeout: 1n", "X-Request-Timeout: 0.0"])
async def test_expired_deadline_never_starts_a_call(site: Site, header: str) -> None:
    answer = await site.send("GET", "/orders/7", header)
    assert (answer.status, answer.json()["error"]["code"]) == (504, "TIMEOUT")
    assert site.backend.calls == []


async def test_slow_backend_is_given_up_at_the_deadline(site: Site) -> None:
    site.backend.replies[GET_ORDER] = hold
    started = monotonic()
    answer = await site.gateway.client.get("/orders/7", headers={"X-Request-Timeout": "0.3"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "TIMEOUT")
    assert 0.3 <= monotonic() - started < 1.3
    async with asyncio.timeout(1):
        await site.backend.calls[0].done.wait()


async def test_call_is_cancelled_when_the_client_goes(site: Site) -> None:
    site.backend.replies[GET_ORDER] = hold
    _, writer = await connect(site.gateway.url)
    writer.write(request("GET", "/orders/7"))
    (call,) = await site.backend.wait_for_calls()
    writer.close()
    async with asyncio.timeout(1):
        await call.done.wait()
    assert call.cancelled


async def test_200_requests_use_one_connection(site: Site) -> None:
    for _ in range(10):
        answers = await asyncio.gather(*(site.gateway.client.get(f"/orders/{n}") for n in range(20)))
        assert {answer.status_code for answer in answers} == {200}
    assert len(site.backend.calls) == 200
    assert len(site.backend.peers) == 1
