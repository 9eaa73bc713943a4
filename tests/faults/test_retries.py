"""Which calls are made again when a backend fails, and how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from tests.support.backend import Answer, Call, RecordingBackend, failure
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.metrics import read_metrics
from tests.support.protos import Schema

PROTO: Final = """
syntax = "proto3";
package shop.v1;
service Orders {
  rpc Get(Order) returns (Order);
  rpc Peek(Order) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc Cancel(Order) returns (Order) { option idempotency_level = IDEMPOTENT; }
  rpc Watch(Order) returns (stream Order);
}
message Order { string id = 1; }
"""
SERVICE: Final = "shop.v1.Orders"
DOWN: Final = failure(grpc.StatusCode.UNAVAILABLE, "down")


def route(http_method: str, path: str, method: str, **keys: Any) -> dict[str, Any]:
    return {
        "name": f"{http_method} {path}",
        "path": path,
        "method": http_method,
        "service": "shop",
        "grpc_service": "Orders",
        "grpc_method": method,
        **keys,
    }


ROUTES: Final = (
    route("GET", "/orders/{id}", "Get"),
    route("POST", "/orders/{id}", "Get"),
    route("POST", "/peek/{id}", "Peek"),
    route("POST", "/cancel/{id}", "Cancel"),
    route("POST", "/safe/{id}", "Get", retry=True),
    route("GET", "/watch/{id}", "Watch"),
)


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, answer: Answer = DOWN) -> None:
        self.left = failures
        self.answer = answer

    async def __call__(self, call: Call) -> Answer | Message:
        (message,) = [request async for request in call.requests()]
        if self.left:
            self.left -= 1
            return self.answer
        return message


@asynccontextmanager
async def site(folder: Path, **service: Any) -> AsyncIterator[tuple[RunningGateway, RecordingBackend]]:
    settings = {"circuit_breaker": {"failures": 0}, "retries": {"initial_backoff": "10ms"}, **service}
    async with RecordingBackend(Schema.from_protos(PROTO)) as backend:
        shop = {"address": backend.address, **settings}
        async with running_gateway({"services": {"shop": shop}, "routes": ROUTES}, folder) as gateway:
            yield gateway, backend


async def exhausted(gateway: RunningGateway) -> float:
    """Calls that failed although they could be made again."""
    return (await read_metrics(gateway.admin)).sum("transcoder_retries_exhausted_total", backend="shop")


async def statuses(gateway: RunningGateway, *requests: tuple[str, str]) -> list[int]:
    return [(await gateway.client.request(*request)).status_code for request in requests]


async def test_what_can_be_made_twice_is(tmp_path: Path) -> None:
    requests = [("GET", "/orders/1"), ("POST", "/peek/1"), ("POST", "/cancel/1"), ("POST", "/safe/1")]
    async with site(tmp_path) as (gateway, backend):
        for http_method, path in requests:
            backend.replies = {f"{SERVICE}/{name}": Flaky(2) for name in ("Get", "Peek", "Cancel")}
            backend.calls.clear()
            assert await statuses(gateway, (http_method, path)) == [200]
            attempts = [call.values("grpc-previous-rpc-attempts") for call in backend.calls]
            assert attempts == [[], ["1"], ["2"]]
        backend.replies = {f"{SERVICE}/Get": Flaky(1)}
        backend.calls.clear()
        assert await statuses(gateway, ("POST", "/orders/1")) == [503]
        assert len(backend.calls) == 1
        assert len(backend.peers) == 1, "both sorts of calls share one connection"


async def test_a_call_that_a_stopping_server_never_began_is_no_client_that_went_away(tmp_path: Path) -> None:
    """Servers in C++ and Python say just this word then."""
    never_begun = failure(grpc.StatusCode.CANCELLED, "CANCELLED")
    async with site(tmp_path) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": Flaky(1, never_begun), f"{SERVICE}/Watch": Flaky(1, never_begun)}
        assert await statuses(gateway, ("GET", "/orders/1"), ("GET", "/watch/1")) == [200, 200]
        assert len(backend.calls) == 4
        backend.replies = {f"{SERVICE}/Get": never_begun}
        assert await statuses(gateway, ("POST", "/orders/1"), ("GET", "/orders/1")) == [503, 503]
        backend.replies = {f"{SERVICE}/Get": failure(grpc.StatusCode.CANCELLED, "by its owner")}
        assert await statuses(gateway, ("POST", "/orders/1")) == [499]


async def test_a_call_whose_client_goes_away_is_not_made_again(tmp_path: Path) -> None:
    begun, is_over = asyncio.Event(), asyncio.Event()

    async def hold(_: Call) -> Answer:
        begun.set()
        await is_over.wait()
        return DOWN

    async with site(tmp_path) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": hold}
        asked = asyncio.create_task(gateway.client.get("/orders/1"))
        await asyncio.wait_for(begun.wait(), 5)
        asked.cancel()
        (call,) = backend.calls
        await asyncio.wait_for(call.done.wait(), 1)
        assert call.cancelled
        # by the time another call has been answered, it would have been made again
        assert await statuses(gateway, ("GET", "/watch/1")) == [200]
        assert [call.method for call in backend.calls] == [f"{SERVICE}/Get", f"{SERVICE}/Watch"]


async def test_attempts_end(tmp_path: Path) -> None:
    async with site(tmp_path) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": DOWN}
        assert await statuses(gateway, ("GET", "/orders/1")) == [503]
        assert len(backend.calls) == 3
        assert await exhausted(gateway) == 1
        backend.replies = {f"{SERVICE}/Get": Flaky(2)}
        assert await statuses(gateway, ("GET", "/orders/1")) == [200]
        backend.replies = {f"{SERVICE}/Get": DOWN}
        assert await statuses(gateway, ("POST", "/orders/1")) == [503]
        assert await exhausted(gateway) == 1, "nor what ends well, nor what is not made again"


async def test_other_errors_are_answers(tmp_path: Path) -> None:
    async with site(tmp_path) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": failure(grpc.StatusCode.ABORTED)}
        assert await statuses(gateway, ("GET", "/orders/1")) == [409]
        assert len(backend.calls) == 1
        assert await exhausted(gateway) == 0


async def test_codes_and_attempts_are_those_of_the_configuration(tmp_path: Path) -> None:
    retries = {"max_attempts": 2, "initial_backoff": "10ms", "status_codes": ["ABORTED"]}
    async with site(tmp_path, retries=retries) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": failure(grpc.StatusCode.ABORTED)}
        assert await statuses(gateway, ("GET", "/orders/1")) == [409]
        assert len(backend.calls) == 2
        backend.replies = {f"{SERVICE}/Get": DOWN}
        assert await statuses(gateway, ("GET", "/orders/1")) == [503]
        assert len(backend.calls) == 3


async def test_retries_can_be_turned_off(tmp_path: Path) -> None:
    async with site(tmp_path, retries={"max_attempts": 1}) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": DOWN}
        assert await statuses(gateway, ("GET", "/orders/1")) == [503]
        assert len(backend.calls) == 1
        assert await exhausted(gateway) == 0


async def test_a_backend_that_always_fails_is_not_asked_three_times_as_often(tmp_path: Path) -> None:
    async with site(tmp_path) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": DOWN}
        for _ in range(4):
            await asyncio.gather(*(statuses(gateway, ("GET", "/orders/1")) for _ in range(50)))
        made = len(backend.calls)
        await asyncio.gather(*(statuses(gateway, ("GET", "/orders/1")) for _ in range(50)))
        assert len(backend.calls) == made + 50, "the budget is used up"


async def test_a_stream_is_begun_again_only_before_its_first_message(tmp_path: Path) -> None:
    failures = 1

    async def watch(call: Call) -> AsyncGenerator[Message, None]:
        nonlocal failures
        if failures:
            failures -= 1
            await call.context.abort(grpc.StatusCode.UNAVAILABLE, "down")
        yield call.request_type(id="1")
        await call.context.abort(grpc.StatusCode.UNAVAILABLE, "down")

    async with site(tmp_path) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Watch": watch}
        answer = await gateway.client.get("/watch/1")
        assert answer.status_code == 200
        first, last = answer.text.splitlines()
        assert first == '{"id":"1"}'
        assert "SERVICE_UNAVAILABLE" in last
        assert len(backend.calls) == 2


async def test_attempts_end_with_the_deadline(tmp_path: Path) -> None:
    retries = {"max_attempts": 5, "initial_backoff": "20s", "max_backoff": "20s"}
    async with site(tmp_path, retries=retries) as (gateway, backend):
        backend.replies = {f"{SERVICE}/Get": DOWN}
        async with asyncio.timeout(10):
            answer = await gateway.client.get("/orders/1", headers={"grpc-timeout": "300m"})
        assert answer.status_code in (503, 504)
