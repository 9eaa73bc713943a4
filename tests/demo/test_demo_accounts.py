"""Positions, wallets and what every method of a user's own things has in common."""

from __future__ import annotations

import grpc
import pytest

from tests.demo.conftest import Client

POSITIONS = "position.v1.PositionService/ListPositions"
BALANCE = "wallet.v1.WalletService/GetBalance"


@pytest.mark.parametrize(
    "method",
    [
        "user.v1.UserService/GetProfile",
        "order.v1.OrderService/CreateOrder",
        "order.v1.OrderService/GetOrder",
        "order.v1.OrderService/ListOrders",
        "order.v1.OrderService/CancelOrder",
        POSITIONS,
        BALANCE,
    ],
)
async def test_without_a_user_the_call_is_unauthenticated(client: Client, method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(method)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert caught.value.details() == "x-user-id metadata is missing"


async def test_positions(client: Client) -> None:
    aapl = {"symbol": "AAPL", "quantity": "100", "averagePrice": 185.5}
    msft = {"symbol": "MSFT", "quantity": "25", "averagePrice": 372.5}
    assert await client.call(POSITIONS, user="user-1") == {"positions": [aapl, msft]}
    assert await client.call(POSITIONS, {"symbol": "MSFT"}, user="user-1") == {"positions": [msft]}
    assert await client.call(POSITIONS, user="user-9") == {}


@pytest.mark.parametrize(
    ("currency", "answered", "available"), [("", "USD", 10_250.75), ("eur", "EUR", 1_500.0)]
)
async def test_balance(client: Client, currency: str, answered: str, available: float) -> None:
    balance = await client.call(BALANCE, {"currency": currency}, user="user-1")
    assert (balance["currency"], balance["available"]) == (answered, available)
    assert balance["updatedAt"] == "2024-01-15T14:30:00Z"


@pytest.mark.parametrize(("user", "currency"), [("user-1", "CHF"), ("user-9", "USD")])
async def test_a_wallet_the_user_does_not_have_is_not_found(client: Client, user: str, currency: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.call(BALANCE, {"currency": currency}, user=user)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == f"wallet in '{currency}' not found"
