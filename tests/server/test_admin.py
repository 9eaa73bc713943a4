"""The admin port over HTTP, in front of a gateway with a real backend."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from sanic import Sanic

from tests.inspection.shop import gateway_of
from tests.server.admin_port import (
    CHANGING,
    JSON,
    READING,
    TOKEN,
    Admin,
    Steered,
    check_headers,
    check_refusal,
    listening,
)
from tests.support.backend import RecordingBackend
from tests.support.ports import free_port
from tests.support.tokens import SECRET
from transcoder.config.model import Config
from transcoder.gateway import Gateway
from transcoder.server.control import Control, Outcome


@pytest.mark.parametrize("path", JSON)
async def test_answers_are_json(admin: Admin, path: str) -> None:
    response = await admin.client.get(path, headers={"x-request-id": "request-number-1"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "request-number-1"
    check_headers(response)
    assert isinstance(response.json(), dict)


@pytest.mark.parametrize("path", READING)
async def test_head_is_get_without_the_body(admin: Admin, path: str) -> None:
    response = await admin.client.head(path)
    assert response.status_code == 200
    assert response.content == b""
    check_headers(response)


async def test_each_endpoint_shows_its_own(admin: Admin) -> None:
    answers = {path: (await admin.client.get(path)).json() for path in JSON}
    services, service, methods, message, routes, explained, config = answers.values()
    assert [service["name"] for service in services["services"]] == ["shop.v1"]
    assert service["address"] == config["services"]["shop.v1"]["address"]
    assert len(methods["methods"]) == 6
    assert message["name"] == "shop.v1.Order"
    assert routes["routes"][0]["name"] == "get-order"
    assert explained["route"]["name"] == "get-order"
    assert config["auth"]["issuers"][0]["secret"] == "***"


async def test_secrets_are_nowhere(admin: Admin) -> None:
    admin.worker.set_admin(token=TOKEN)
    for path in READING:
        text = (await admin.client.get(path, headers={"authorization": f"Bearer {TOKEN}"})).text
        assert SECRET not in text
        assert TOKEN not in text


async def test_metrics_are_in_the_format_that_is_asked_for(admin: Admin) -> None:
    response = await admin.client.get("/metrics", headers=[("accept", "a/b"), ("accept", "*/*;q=0.1")])
    assert response.text == "# HELP\n"
    assert response.headers["content-type"] == "text/plain; for=a/b,*/*;q=0.1"
    check_headers(response)


async def test_descriptors_are_a_file(admin: Admin) -> None:
    response = await admin.client.get("/services/shop.v1/descriptors")
    assert response.headers["content-type"] == "application/x-protobuf"
    assert response.headers["content-disposition"] == 'attachment; filename="shop.v1.binpb"'
    check_headers(response)
    assert FileDescriptorSet.FromString(response.content).file


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/docs",
        "/openapi.json",
        "/services/shop.v1/types",
        "/..%2Fservices",
        "/%ff%00",
    ],
)
async def test_unknown_path(admin: Admin, path: str) -> None:
    check_refusal(await admin.client.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("http_method", ["POST", "DELETE", "OPTIONS", "BREW"])
async def test_what_is_read_cannot_be_written(admin: Admin, http_method: str) -> None:
    for path in READING:
        response = await admin.client.request(http_method, path)
        check_refusal(response, 405, "METHOD_NOT_ALLOWED")
        assert sorted(response.headers["allow"].split(", ")) == ["GET", "HEAD"]


@pytest.mark.parametrize("path", CHANGING)
async def test_reading_changes_nothing(admin: Admin, path: str) -> None:
    response = await admin.client.get(path)
    check_refusal(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "POST"
    assert admin.worker.asked == []


@pytest.mark.parametrize("name", ["other", "a%2Fb", "%2e%2e", "%00", "%ff", "%ed%a0%80", "é", "a" * 3000])
async def test_unknown_service_is_answered_with_the_known(admin: Admin, name: str) -> None:
    for rest in ("", "/methods", "/types/x", "/descriptors"):
        error = check_refusal(await admin.client.get(f"/services/{name}{rest}"), 404, "NOT_FOUND")
        assert error["message"].endswith("there are: shop.v1")


@pytest.mark.parametrize(
    "name", ["x", "%2e", "..x", "shop.v1.Orders", "a%2Fb", "%00", "%ff", "%22%3Cscript%3E"]
)
async def test_unknown_type(admin: Admin, name: str) -> None:
    response = await admin.client.get(f"/services/shop.v1/types/{name}")
    error = check_refusal(response, 404, "NOT_FOUND")
    assert error["message"].startswith("service 'shop.v1' has no message")


async def test_type_name_may_begin_with_a_dot(admin: Admin) -> None:
    response = await admin.client.get("/services/shop.v1/types/.shop.v1.Item")
    assert response.json()["name"] == "shop.v1.Item"


async def test_unreachable_backend_is_told_with_its_reason() -> None:
    async with (
        gateway_of({"shop": {"address": f"127.0.0.1:{free_port()}"}}) as gateway,
        listening(Steered(gateway=gateway)) as admin,
    ):
        for path in ("methods", "types/x", "descriptors"):
            response = await admin.client.get(f"/services/shop/{path}")
            error = check_refusal(response, 503, "SERVICE_UNAVAILABLE")
            assert error["message"] == gateway.backends["shop"].last_error


async def test_explained_path_may_have_a_query(admin: Admin) -> None:
    parameters = {"path": "/orders/a%2Fb?limit=1&tags=x", "method": "GET"}
    answer = (await admin.client.get("/routes/explain", params=parameters)).json()
    assert answer["captures"][0]["value"] == "a/b"
    assert [item["binds"] for item in answer["query"]] == ["limit", "tags"]


async def test_explained_method_is_held_against_the_table(admin: Admin) -> None:
    answer = (await admin.client.get("/routes/explain?method=PUT&path=/orders/1")).json()
    assert (answer["matched"], answer["status"]) == (False, 405)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "parameter 'path' is missing"),
        ("?method=GET", "parameter 'path' is missing"),
        ("?path=/a?b=c&d=e", "unknown parameter 'd': write the & of a path as %26"),
    ],
)
async def test_explain_says_what_it_needs(admin: Admin, query: str, message: str) -> None:
    error = check_refusal(await admin.client.get(f"/routes/explain{query}"), 400, "INVALID_ARGUMENT")
    assert error["message"] == message


@pytest.mark.parametrize(
    ("path", "asked"),
    [("/reload", ("reload", {})), ("/services/shop.v1/refresh", ("refresh", {"backend": "shop.v1"}))],
)
async def test_commands_go_to_all_workers(admin: Admin, path: str, asked: Any) -> None:
    response = await admin.client.post(path)
    assert response.status_code == 200
    assert response.json() == {"workers": [{"worker": 1, "ok": True}, {"worker": 2, "ok": True}]}
    check_headers(response)
    assert admin.worker.asked == [asked]


async def test_bad_configuration_is_told_once_with_every_problem(admin: Admin) -> None:
    bad = {"ok": False, "message": "the configuration is not valid", "problems": ["a: wrong", "b: wrong"]}
    admin.worker.outcomes["reload"] = [
        {"worker": 1, **bad},
        {"worker": 2, "ok": True},
        {"worker": 3, **bad},
    ]
    error = check_refusal(await admin.client.post("/reload"), 400, "INVALID_ARGUMENT")
    assert error["message"] == "the configuration is not valid"
    assert error["details"] == [
        {"problem": "a: wrong", "workers": [1, 3]},
        {"problem": "b: wrong", "workers": [1, 3]},
    ]


@pytest.mark.parametrize("path", CHANGING)
async def test_worker_that_fails_is_named(admin: Admin, path: str) -> None:
    silent = {"worker": 2, "ok": False, "message": "no answer: TimeoutError"}
    admin.worker.outcomes = {name: [{"worker": 1, "ok": True}, silent] for name in ("reload", "refresh")}
    error = check_refusal(await admin.client.post(path), 503, "SERVICE_UNAVAILABLE")
    assert error["message"] == "no answer: TimeoutError"
    assert error["details"] == [{"problem": "no answer: TimeoutError", "workers": [2]}]


async def test_unknown_service_is_not_refreshed(admin: Admin) -> None:
    error = check_refusal(await admin.client.post("/services/nope/refresh"), 404, "NOT_FOUND")
    assert error["message"] == "no service 'nope'; there are: shop.v1"
    assert admin.worker.asked == []


async def test_refresh_reaches_the_command_of_the_worker(shop: RecordingBackend) -> None:
    async def refresh(backend: str) -> Outcome:
        return {"ok": True, "changed": backend == "shop"}

    @dataclass(frozen=True, kw_only=True)
    class Real:
        gateway: Gateway
        control: Control
        config: Config

    control = Control(None, {"refresh": refresh})
    async with (
        gateway_of({"shop": {"address": shop.address}}) as gateway,
        listening(Real(gateway=gateway, control=control, config=Config())) as admin,
    ):
        response = await admin.client.post("/services/shop/refresh")
    assert response.json() == {"workers": [{"worker": os.getpid(), "ok": True, "changed": True}]}


@pytest.mark.parametrize(
    "head", [b"garbage", b"GET /\xff HTTP/1.1\r\nHost: localhost", b"GET  HTTP/9\r\nHost: a"]
)
async def test_unreadable_requests_have_the_one_shape(admin: Admin, head: bytes) -> None:
    reader, writer = await asyncio.open_connection(*admin.address)
    writer.write(head + b"\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 4")
    assert b'{"error":{"code":' in answer


async def test_body_nobody_reads_is_bounded(admin: Admin) -> None:
    check_refusal(await admin.client.post("/reload", content=b"x" * 100_000), 413, "PAYLOAD_TOO_LARGE")


async def test_bug_is_an_internal_error_without_its_text(admin: Admin) -> None:
    admin.worker.outcomes = {}  # the stand-in fails with a KeyError
    error = check_refusal(await admin.client.post("/reload"), 500, "INTERNAL_ERROR")
    assert error["message"] == "internal error"


async def test_every_endpoint_is_documented(admin: Admin) -> None:
    text = (Path(__file__).parents[2] / "docs" / "admin.md").read_text()
    for route in Sanic.get_app("transcoder-admin").router.routes:
        path = re.sub("<(.*?)(:.*?)?>", r"{\1}", f"/{route.path}").replace("{message}", "{type}")
        http_method = "POST" if "POST" in route.methods else "GET"
        assert re.search(rf"^### `{http_method} {re.escape(path)}[?`]", text, re.MULTILINE), path
