from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

from tests.demo.conftest import Client, connected
from transcoder.demo.orders import order_service
from transcoder.demo.serving import start

CREATE = "order.v1.OrderService/CreateOrder"
GET = "order.v1.OrderService/GetOrder"
LIST = "order.v1.OrderService/ListOrders"
CANCEL = "order.v1.OrderService/CancelOrder"


def ids(answer: dict[str, Any]) -> list[str]:
    return [order["orderId"] for order in answer.get("orders", ())]


async def bad_fields(client: Client, method: str, request: dict[str, Any]) -> list[str]:
    """The fields an INVALID_ARGUMENT answer blames in its google.rpc.BadRequest."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(method, request, user="user-1")
    error = caught.value
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    details = BadRequest()
    assert status.details[0].Unpack(details)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (status.code, status.message) == (3, error.details())
    return [violation.field for violation in details.field_violations]


async def test_the_seeded_order(client: Client) -> None:
    assert await client.call(GET, {"orderId": "123"}, user="user-1") == {
        "orderId": "123",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": 100,
        "price": 185.5,
        "status": "EXECUTED",
        "createdAt": "2024-01-15T14:30:00Z",
        "updatedAt": "2024-01-15T14:30:00Z",
    }


@pytest.mark.parametrize("method", [GET, CANCEL])
@pytest.mark.parametrize("order_id", ["999", "124", ""])
async def test_an_order_that_is_unknown_or_another_user_s_is_not_found(
    client: Client, method: str, order_id: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(method, {"orderId": order_id}, user="user-1")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == f"order '{order_id}' not found"


async def test_create_starts_a_pending_order_that_only_its_owner_sees() -> None:
    times = count()
    started = datetime(2024, 5, 6, tzinfo=UTC)
    service = order_service(clock=lambda: started + timedelta(seconds=next(times)))
    backend = await start(service, host="127.0.0.1", port=0)
    async with connected([backend]) as client:
        created = await client.call(CREATE, {"symbol": "BRK.B", "quantity": 3}, user="user-1")
        assert created == {
            "orderId": "1001",
            "symbol": "BRK.B",
            "side": "BUY",
            "quantity": 3,
            "status": "PENDING",
            "createdAt": "2024-05-06T00:00:00Z",
            "updatedAt": "2024-05-06T00:00:00Z",
        }
        assert await client.call(GET, {"orderId": "1001"}, user="user-1") == created
        assert "1001" in ids(await client.call(LIST, user="user-1"))
        assert ids(await client.call(LIST, user="user-2")) == ["124"]

        cancelled = await client.call(CANCEL, {"orderId": "1001"}, user="user-1")
        assert cancelled == {**created, "status": "CANCELLED", "updatedAt": "2024-05-06T00:00:01Z"}
        assert await client.call(GET, {"orderId": "1001"}, user="user-1") == cancelled
    await backend.stop()


async def test_create_takes_side_and_limit(client: Client) -> None:
    request = {"symbol": "AAPL", "quantity": 1_000_000, "side": "SELL", "price": 190.25}
    created = await client.call(CREATE, request, user="user-1")
    assert created.items() >= request.items()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"symbol": ""}, "symbol"),
        ({"symbol": "aapl"}, "symbol"),
        ({"symbol": "ABCDEFGHIJK"}, "symbol"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 1_000_001}, "quantity"),
        ({"side": 7}, "side"),
        ({"price": -0.01}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": "Infinity"}, "price"),
    ],
)
async def test_create_refuses_bad_input(client: Client, changed: dict[str, Any], field: str) -> None:
    assert await bad_fields(client, CREATE, {"symbol": "AAPL", "quantity": 1} | changed) == [field]


async def test_every_bad_field_is_named_at_once(client: Client) -> None:
    assert await bad_fields(client, CREATE, {}) == ["symbol", "quantity"]


@pytest.mark.parametrize(("order_id", "status"), [("123", "EXECUTED"), ("122", "CANCELLED")])
async def test_only_a_pending_order_can_be_cancelled(client: Client, order_id: str, status: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(CANCEL, {"orderId": order_id}, user="user-1")
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == f"order '{order_id}' cannot be cancelled: it is {status}"


async def test_list_is_the_caller_s_oldest_first(client: Client) -> None:
    answer = await client.call(LIST, user="user-1")
    assert ids(answer) == ["121", "122", "123", "125"]
    assert "nextPageToken" not in answer
    assert ids(await client.call(LIST, user="nobody")) == []


async def test_list_filters_by_status(client: Client) -> None:
    assert ids(await client.call(LIST, {"status": "EXECUTED"}, user="user-1")) == ["121", "123"]


async def test_list_in_pages(client: Client) -> None:
    first = await client.call(LIST, {"pageSize": 3}, user="user-1")
    second = await client.call(LIST, {"pageSize": 3, "pageToken": first["nextPageToken"]}, user="user-1")
    assert (ids(first), ids(second)) == (["121", "122", "123"], ["125"])
    assert "nextPageToken" not in second


async def test_a_full_last_page_has_no_next_one(client: Client) -> None:
    assert "nextPageToken" not in await client.call(LIST, {"pageSize": 4}, user="user-1")


async def test_pages_have_50_orders_and_never_more_than_100(client: Client) -> None:
    for _ in range(100):
        await client.call(CREATE, {"symbol": "AAPL", "quantity": 1}, user="user-1")
    assert len(ids(await client.call(LIST, user="user-1"))) == 50
    assert len(ids(await client.call(LIST, {"pageSize": 1000}, user="user-1"))) == 100


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"pageSize": -1}, "page_size"),
        ({"pageToken": "x"}, "page_token"),
        ({"pageToken": "-1"}, "page_token"),
    ],
)
async def test_list_refuses_bad_input(client: Client, request_: dict[str, Any], field: str) -> None:
    assert await bad_fields(client, LIST, request_) == [field]
