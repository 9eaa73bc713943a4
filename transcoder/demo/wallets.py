"""WalletService: the money of each user."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from grpc import StatusCode

from transcoder.demo.calls import Context, user_id
from transcoder.demo.messages import message_class
from transcoder.demo.serving import Service

# By user and currency: (available, reserved).
_BALANCES: Final = {
    ("user-1", "USD"): (10_250.75, 2_070.0),
    ("user-1", "EUR"): (1_500.0, 0.0),
    ("user-2", "USD"): (98_400.0, 0.0),
}
_UPDATED_AT: Final = datetime(2024, 1, 15, 14, 30, tzinfo=UTC)


async def get_balance(request: Any, context: Context) -> Any:
    currency = request.currency.upper() or "USD"
    balance = _BALANCES.get((await user_id(context), currency))
    if balance is None:
        await context.abort(StatusCode.NOT_FOUND, f"wallet in {currency!r} not found")
    available, reserved = balance
    return message_class("wallet.v1.Balance")(
        currency=currency, available=available, reserved=reserved, updated_at=_UPDATED_AT
    )


def wallet_service() -> Service:
    return Service(
        backend="wallet-service", name="wallet.v1.WalletService", methods={"GetBalance": get_balance}
    )
