"""What /metrics of the admin port says about a gateway."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from time import time
from typing import Any, Final

import grpc

from tests.e2e.shop import GET_ORDER, Site, route, schema
from tests.support.backend import (
    Answer,
    RecordingBackend,
    failure,
)
from tests.support.gateway import running_gateway
from tests.support.metrics import Page, read_metrics
from tests.support.protos import Schema
from tests.support.raw import exchange, request
from tests.support.tokens import bearer
from transcoder.observe.catalogue import METRICS

TOTAL: Final = "transcoder_requests_total"
DURATION: Final = "transcoder_request_duration_seconds_count"


def series(page: Page, **labels: str) -> dict[tuple[str, str, str], float]:
    """Requests by route, status and gRPC code."""
    found: dict[tuple[str, str, str], float] = {}
    for one in page.labels(TOTAL):
        key = (one["route"], one["status"], one["grpc_code"])
        found[key] = found.get(key, 0) + page.sum(TOTAL, **one)
    return found


async def test_requests_add_up(site: Site) -> None:
    gateway = site.gateway
    before = await read_metrics(gateway.admin)
    client = gateway.client
    for number in range(7):
        assert (await client.get(f"/orders/{number}?view={number}")).status_code == 200
    site.backend.replies[GET_ORDER] = failure(grpc.StatusCode.DATA_LOSS, "gone")
    assert (await client.get("/orders/1")).status_code == 500
    assert (await client.get("/nowhere/1")).status_code == 404
    assert (await client.delete("/orders/1")).status_code == 405
    assert (await client.get("/me/orders/1")).status_code == 401
    assert (await client.get("/orders/%zz")).status_code == 400
    assert (await client.post("/users/u/orders", content=b" " * 70_000)).status_code == 413
    assert (await exchange(gateway.url, b"garbage\r\n\r\n")).status == 400
    assert (await client.get("/-/health")).status_code == 200
    after = await read_metrics(gateway.admin)
    counts = series(after)
    for key, count in series(before).items():
        counts[key] -= count
    assert {key: count for key, count in counts.items() if count} == {
        ("/orders/{id}", "200", "OK"): 7,
        ("/orders/{id}", "500", "DATA_LOSS"): 1,
        ("unmatched", "404", "NOT_FOUND"): 1,
        ("unmatched", "405", "UNIMPLEMENTED"): 1,
        ("/me/orders/{order_id}", "401", "UNAUTHENTICATED"): 1,
        ("unmatched", "400", "INVALID_ARGUMENT"): 2,
        ("/users/{user}/orders", "413", "RESOURCE_EXHAUSTED"): 1,
    }
    orders = {"route": "/orders/{id}", "http_method": "GET", "backend": "shop"}
    assert after.sum(DURATION, **orders) - before.sum(DURATION, **orders) == 8
    assert after.sum("transcoder_token_checks_total", outcome="missing") >= 1
    assert after.sum("transcoder_requests_in_flight") == 0


async def test_every_metric_of_the_catalogue_is_there(site: Site) -> None:
    text = (await site.gateway.admin.get("/metrics")).text
    assert set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)) == set(METRICS)


async def test_token_checks(site: Site) -> None:
    before = await read_metrics(site.gateway.admin)
    for headers in (bearer(), bearer(), {"authorization": "Bearer no"}, {}):
        await site.gateway.client.get("/me/orders/7", headers=headers)
    after = await read_metrics(site.gateway.admin)

    def more(outcome: str) -> float:
        name = "transcoder_token_checks_total"
        return after.sum(name, outcome=outcome) - before.sum(name, outcome=outcome)

    assert more("verified") + more("cached") == 2
    assert more("cached") >= 1
    assert (more("invalid"), more("missing")) == (1, 1)


async def test_what_clients_choose_is_no_label(site: Site) -> None:
    secret = "a-name-that-only-a-client-knows"
    await site.gateway.client.get(f"/{secret}?{secret}", headers={secret: secret, "host": secret})
    await site.gateway.client.get(f"/orders/{secret}")
    await exchange(site.gateway.url, request(secret, f"/{secret}"))
    assert secret not in (await site.gateway.admin.get("/metrics")).text


async def test_state_of_the_process_and_its_backends(site: Site) -> None:
    assert (await site.gateway.client.get("/orders/7")).status_code == 200
    page = await read_metrics(site.gateway.admin)
    assert page.sum("transcoder_worker_ready", worker="0") == 1
    assert page.sum("transcoder_worker_starts_total", worker="0") == 1
    assert page.sum("transcoder_backend_state", backend="shop", state="ready") == 1
    assert page.sum("transcoder_backend_state", backend="shop") == 1
    assert page.sum("transcoder_schema_info", backend="shop", origin="v1") == 1
    assert page.sum("transcoder_schema_info", backend="lost") == 0
    assert 0 <= time() - page.sum("transcoder_schema_last_read_timestamp_seconds", backend="shop") < 600
    assert page.sum("transcoder_schema_refreshes_total", backend="shop", outcome="changed") >= 1
    assert page.sum("transcoder_build_info") == 1
    assert page.sum("transcoder_event_loop_lag_seconds_count", worker="0") > 0
    assert page.sum("transcoder_event_loop_tasks", worker="0") > 1
    assert 0.1 < page.sum("transcoder_process_cpu_seconds_total") < 600
    started = page.sum("transcoder_process_start_time_seconds", worker="0")
    assert started <= page.sum("transcoder_config_last_reload_success_timestamp_seconds") < time()
    assert page.sum("transcoder_jwks_keys", issuer="tests") == 1


async def test_schema_that_cannot_be_read(site: Site) -> None:
    count = {"name": "transcoder_schema_refreshes_total", "backend": "lost", "outcome": "failed"}
    before = (await read_metrics(site.gateway.admin)).sum(**count)
    assert (await site.gateway.admin.post("/services/lost/refresh")).status_code == 503
    assert (await read_metrics(site.gateway.admin)).sum(**count) == before + 1


STREAMS: Final = """
syntax = "proto3";
package news.v1;
service News {
  rpc Follow(Topic) returns (stream Item);
  rpc Publish(stream Item) returns (Topic);
}
message Topic { string name = 1; }
message Item { string text = 1; }
"""


async def test_streams(tmp_path: Path) -> None:
    news = Schema.from_protos(STREAMS)
    items = [news.message("news.v1.Item", text=str(number)) for number in range(5)]
    follow, publish = "news.v1.News/Follow", "news.v1.News/Publish"
    async with RecordingBackend(news, {follow: items}) as backend:
        service = {"address": backend.address, "expose": ["methods"]}
        async with running_gateway({"services": {"news": service}}, tmp_path) as gateway:
            assert len((await gateway.client.post(f"/{follow}", json={})).text.splitlines()) == 5
            backend.replies[follow] = Answer(messages=items[:2], code=grpc.StatusCode.ABORTED)
            assert (await gateway.client.post(f"/{follow}", json={})).status_code == 200
            body = "\n".join('{"text": "x"}' for _ in range(3))
            assert (await gateway.client.post(f"/{publish}", content=body)).status_code == 200
            page = await read_metrics(gateway.admin)
    messages = "transcoder_stream_messages_total"
    assert page.sum(messages, backend="news", method=follow, direction="received") == 7
    assert page.sum(messages, backend="news", method=follow, direction="sent") == 2
    assert page.sum(messages, backend="news", method=publish, direction="sent") == 3
    assert page.sum(messages, backend="news", method=publish, direction="received") == 1
    assert page.sum("transcoder_stream_duration_seconds_count", route=f"/{follow}", backend="news") == 2
    assert series(page) == {
        (f"/{follow}", "200", "OK"): 1,
        (f"/{follow}", "200", "ABORTED"): 1,
        (f"/{publish}", "200", "OK"): 1,
    }
    assert page.sum("transcoder_requests_in_flight") == 0


async def test_reloads(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend:
        config = {
            "services": {"shop": {"address": backend.address}},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path) as gateway:
            good = gateway.config_file.read_text()
            started = await read_metrics(gateway.admin)
            assert (await gateway.admin.post("/reload")).status_code == 200
            gateway.config_file.write_text("nonsense")
            assert (await gateway.admin.post("/reload")).status_code == 400
            bad = await read_metrics(gateway.admin)
            gateway.config_file.write_text(good)
            assert (await gateway.admin.post("/reload")).status_code == 200
            mended = await read_metrics(gateway.admin)
    name = "transcoder_config_reloads_total"
    assert (started.sum(name), bad.sum(name, outcome="ok")) == (0, 1)
    # the file watch may have noticed it, too
    assert bad.sum(name, outcome="failed") in (1, 2)
    successful = [page.sum("transcoder_config_last_reload_successful") for page in (started, bad, mended)]
    assert successful == [1, 0, 1]
    name = "transcoder_config_last_reload_success_timestamp_seconds"
    assert started.sum(name) < bad.sum(name) < mended.sum(name)
    assert mended.sum("transcoder_snapshot_generation", worker="0") > started.sum(
        "transcoder_snapshot_generation", worker="0"
    )


async def test_two_workers_add_up_and_both_work(tmp_path: Path) -> None:
    """Whichever of them is asked."""
    go = asyncio.Event()

    async def slow(_: Any) -> Answer:
        await go.wait()
        return Answer(messages=[schema().message("shop.v1.Order", id="7")])

    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"workers": 2},
            "services": {"shop": {"address": backend.address}},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path) as gateway:
            for _ in range(60):
                assert (await exchange(gateway.url, request("GET", "/orders/7"))).status == 200
            pages = [await read_metrics(gateway.admin) for _ in range(4)]
            backend.replies[GET_ORDER] = slow
            backend.calls.clear()
            clients = [
                asyncio.create_task(exchange(gateway.url, request("GET", "/orders/7"))) for _ in range(32)
            ]
            await backend.wait_for_calls(32)
            busy = await read_metrics(gateway.admin)
            go.set()
            assert {answer.status for answer in await asyncio.gather(*clients)} == {200}
            last = await read_metrics(gateway.admin)
    assert [page.sum(TOTAL) for page in pages] == [60] * 4
    assert [page.sum(DURATION) for page in pages] == [60] * 4
    in_flight = [busy.sum("transcoder_requests_in_flight", worker=worker) for worker in "01"]
    assert sum(in_flight) == 32
    # the chance of an honest spread to fail this is 1 in 4 billion
    assert min(in_flight) > 0
    assert (last.sum(TOTAL), last.sum("transcoder_requests_in_flight")) == (92, 0)
    assert last.sum("transcoder_backend_state", backend="shop", state="ready") == 2


async def test_nothing_is_measured_without_an_admin_port(tmp_path: Path) -> None:
    async with RecordingBackend(schema()) as backend:
        config = {
            "server": {"workers": 2},
            "admin": {"enabled": False},
            "services": {"shop": {"address": backend.address}},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path) as gateway:
            assert (await gateway.client.get("/orders/7")).status_code == 200
            assert (await gateway.client.get("/metrics")).status_code == 404
