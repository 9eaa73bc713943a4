"""The shop, served."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.inspection.shop import shop_schema
from tests.support.backend import RecordingBackend


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[RecordingBackend]:
    async with RecordingBackend(shop_schema()) as backend:
        yield backend
