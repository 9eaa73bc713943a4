"""The five backends of the demo, together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from transcoder.demo.calls import utc_now
from transcoder.demo.market_data import market_data_service
from transcoder.demo.orders import order_service
from transcoder.demo.ports import PORTS
from transcoder.demo.positions import position_service
from transcoder.demo.serving import Backend, Service, start
from transcoder.demo.users import secret_from_env, user_service
from transcoder.demo.wallets import wallet_service

HOST: Final = "127.0.0.1"


def demo_services() -> list[Service]:
    """The services in the order of their ports, with fresh state."""
    return [
        user_service(secret=secret_from_env(), clock=utc_now),
        order_service(clock=utc_now),
        position_service(),
        market_data_service(clock=utc_now, sleep=asyncio.sleep),
        wallet_service(),
    ]


@asynccontextmanager
async def running(*, host: str = HOST, ports: Sequence[int] = PORTS) -> AsyncIterator[list[Backend]]:
    """Serves the demo while the context lasts: five backends, in the order of `ports` (0 for any free one).

    OSError when one of the ports cannot be listened on; then none is.
    """
    backends: list[Backend] = []
    try:
        for service, port in zip(demo_services(), ports, strict=True):
            backends.append(await start(service, host=host, port=port))
        yield backends
    finally:
        await asyncio.gather(*(backend.stop() for backend in backends))
