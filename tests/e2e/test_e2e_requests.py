"""Requests and answers as a client and a backend see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.shop import CREATE_ORDER, GET_ORDER, Site
from tests.support.backend import Answer
from tests.support.raw import connect, read_answer, request


async def test_body_and_path_become_the_message_and_the_response_json(site: Site) -> None:
    site.answer("shop.v1.Order", id="o-1", items=[{"sku": "a", "quantity": 2}], total_cents=2**53 + 1)
    answer = await site.gateway.client.post(
        "/users/ada/orders", json={"user": "eve", "items": [{"sku": "a", "quantity": 2}], "totalCents": "7"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "id": "o-1",
        "items": [{"sku": "a", "quantity": 2}],
        "totalCents": "9007199254740993",
    }
    (call,) = site.backend.calls
    assert call.method == CREATE_ORDER
    assert call.message == site.backend.schema.message(
        "shop.v1.CreateOrderRequest", user="ada", items=[{"sku": "a", "quantity": 2}], total_cents=7
    )


async def test_body_field_beside_path_and_query(site: Site) -> None:
    target = "/users/ada/gift?totalCents=9&gift.sku=query&user=eve"
    answer = await site.gateway.client.put(target, json={"sku": "body", "quantity": 1})
    assert answer.status_code == 200
    assert site.backend.calls[0].message == site.backend.schema.message(
        "shop.v1.CreateOrderRequest", user="ada", gift={"sku": "body", "quantity": 1}, total_cents=9
    )


async def test_path_parameter_and_query(site: Site) -> None:
    target = "/orders/7?view=full&tags=b&tags=a&limit=3&order_id=8&unknown=x"
    assert (await site.gateway.client.get(target)).status_code == 200
    assert site.backend.calls[0].message == site.backend.schema.message(
        "shop.v1.GetOrderRequest", order_id="7", view="full", tags=["b", "a"], limit=3
    )


async def test_every_method_answers_under_its_grpc_path(site: Site) -> None:
    site.answer("shop.v1.Order", id="7")
    answer = await site.gateway.client.post(f"/{GET_ORDER}", json={"orderId": "7"})
    assert (answer.status_code, answer.json()) == (200, {"id": "7"})
    assert site.backend.calls[0].message.order_id == "7"


async def test_head_is_get_without_a_body(site: Site) -> None:
    site.answer("shop.v1.Order", id="o-1")
    reader, writer = await connect(site.gateway.url)
    writer.write(request("HEAD", "/orders/7", "Connection: close"))
    head, end, rest = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 12\r\n" in head.lower() + b"\r\n"
    assert (end, rest) == (b"\r\n\r\n", b"")
    assert site.backend.calls[0].message.order_id == "7"


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_empty_body_sets_nothing(site: Site, body: bytes) -> None:
    answer = await site.gateway.client.post("/users/ada/orders", content=body)
    assert (answer.status_code, answer.json()) == (200, {})
    expected = site.backend.schema.message("shop.v1.CreateOrderRequest", user="ada")
    assert site.backend.calls[0].message == expected


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NEW = "/users/ada/orders"


@pytest.mark.parametrize(
    ("method", "target", "sent", "status", "message"),
    [
        ("GET", "/no/such/path", {}, "404 NOT_FOUND", "no route"),
        ("GET", "/orders", {}, "404 NOT_FOUND", "no route"),
        ("GET", "/-/else", {}, "404 NOT_FOUND", "no such path"),
        ("GET", "/orders/7?limit=many", {}, "400 INVALID_ARGUMENT", "limit"),
        ("GET", "/orders/7?view=a&view=b", {}, "400 INVALID_ARGUMENT", "view"),
        (
            "POST",
            NEW,
            {"json": {"items": [{}, {"quantity": "x"}]}},
            "400 INVALID_ARGUMENT",
            "items[1].quantity",
        ),
        ("POST", NEW, {"json": {"colour": 1}}, "400 INVALID_ARGUMENT", "colour"),
        ("POST", NEW, {"json": []}, "400 INVALID_ARGUMENT", "CreateOrderRequest @ $"),
        ("POST", NEW, {"content": b'{"user": '}, "400 INVALID_ARGUMENT", "JSON"),
        ("POST", NEW, {"content": b'{"user":"\xff"}'}, "400 INVALID_ARGUMENT", "UTF-8"),
        ("POST", NEW, {"content": b"user=ada", "headers": FORM}, "415 UNSUPPORTED_MEDIA_TYPE", "urlencoded"),
    ],
)
async def test_refused_without_a_call(
    site: Site, method: str, target: str, sent: dict[str, Any], *, status: str, message: str
) -> None:
    answer = await site.gateway.client.request(method, target, **sent)
    error = answer.json()["error"]
    assert f"{answer.status_code} {error['code']}" == status
    assert message in error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    assert set(error) == {"code", "message", "request_id"}
    assert site.backend.calls == []


async def test_wrong_method_names_the_right_ones(site: Site) -> None:
    answer = await site.gateway.client.delete("/orders/7")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_body_of_the_limit_is_read_and_a_larger_one_is_not(site: Site) -> None:
    limit = 64 * 1024
    fits = b'{"total_cents":1}'.ljust(limit)
    client = site.gateway.client
    assert (await client.post("/users/ada/orders", content=fits)).status_code == 200
    answer = await site.send("POST", "/users/ada/orders", f"Content-Length: {limit + 1}")
    assert (answer.status, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert len(site.backend.calls) == 1


CHUNKED = "Transfer-Encoding: chunked"


async def test_body_in_chunks(site: Site) -> None:
    reader, writer = await connect(site.gateway.url)
    writer.write(request("POST", "/users/ada/orders", CHUNKED))
    for chunk in (b'{"total', b'Cents": 7}', b""):
        writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    assert (await read_answer(reader)).status == 200
    writer.close()
    assert site.backend.calls[0].message.total_cents == 7


async def test_body_in_chunks_counts_against_the_limit(site: Site) -> None:
    reader, writer = await connect(site.gateway.url)
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    writer.write(request("POST", "/users/ada/orders", CHUNKED) + chunk * 5)
    answer = await read_answer(reader)
    writer.close()
    assert (answer.status, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert site.backend.calls == []


@pytest.mark.parametrize("given", ["abc-123", "A_b.c:d/e+f=g@h", "x" * 128])
async def test_sane_request_id_is_kept(site: Site, given: str) -> None:
    answer = await site.gateway.client.get("/orders/7", headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] == given
    assert site.backend.calls[0].values("x-request-id") == [given]


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "\xe9", "a\tb", '"', "{}"])
async def test_request_id_is_made_where_there_is_no_sane_one(site: Site, given: str | None) -> None:
    headers = [] if given is None else [f"X-Request-Id: {given}"]
    made = {(await site.send("GET", "/orders/7", *headers)).header("x-request-id") for _ in range(2)}
    assert len(made) == 2
    assert given not in made
    assert None not in made
    assert {value for call in site.backend.calls for value in call.values("x-request-id")} == made


@pytest.mark.parametrize("target", ["/orders/7", "/no/such/path", "/-/ready", "/patient/%zz"])
async def test_every_answer_has_one_request_id(site: Site, target: str) -> None:
    answer = await site.send("GET", target)
    assert len([name for name, _ in answer.headers if name == "x-request-id"]) == 1


async def test_probes_are_on_the_public_port(site: Site) -> None:
    for path in ("/-/health", "/-/ready"):
        answer = await site.gateway.client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert (await site.gateway.client.post(path)).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/services",
            "/routes",
            "/config",
            "/metrics",
            "/reload",
            "/-/services",
            "/-",
            "/metrics/",
            "/METRICS",
        ),
        *("//metrics", "/%6detrics", "/metrics%00", "/metrics;a=b", "/.//metrics", "/-/../metrics"),
        *("/-/%2e%2e/metrics", "/-/%252e%252e/metrics", "/orders/../metrics", "/-/..%2fconfig"),
    ],
)
async def test_admin_is_not_on_the_public_port(site: Site, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await site.send(method, path)).status == 404


async def test_response_metadata_becomes_headers(site: Site) -> None:
    order = site.backend.schema.message("shop.v1.Order", id="1")
    site.backend.replies[GET_ORDER] = Answer(
        messages=[order],
        metadata=[
            ("x-served-by", "one"),
            ("x-served-by", "two"),
            ("x-http-code", "203"),
            ("secret-bin", b"x"),
        ],
        trailers=[("x-took", "3"), ("access-control-allow-origin", "*"), ("content-language", "de")],
    )
    answer = await site.gateway.client.get("/orders/1")
    assert (answer.status_code, answer.json()) == (203, {"id": "1"})
    assert answer.headers.get_list("x-served-by") == ["one", "two"]
    assert answer.headers["x-took"] == "3"
    hidden = {"secret-bin", "x-http-code", "access-control-allow-origin", "content-language"}
    assert hidden.isdisjoint(answer.headers)
