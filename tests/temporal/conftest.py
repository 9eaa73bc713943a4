"""One Temporal server and one gateway in front of it, for all tests of the folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import RunningGateway, running_gateway
from tests.temporal.server import TemporalServer, running_temporal
from tests.temporal.sides import NAMESPACES, Side, Sides, reflected_types


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Processes live in one event loop, and so do the tests that ask them."""
    for item in items:
        if Path(__file__).parent in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TemporalServer]:
    async with running_temporal(tmp_path_factory.mktemp("temporal"), NAMESPACES) as server:
        yield server


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def gateway(
    temporal: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """It knows the server's address, and nothing else."""
    service = {"address": temporal.address, "expose": ["annotations", "methods"], "auth_required": False}
    async with running_gateway(
        {"services": {"temporal": service}}, tmp_path_factory.mktemp("gateway")
    ) as running:
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def sides(temporal: TemporalServer, gateway: RunningGateway) -> AsyncIterator[Sides]:
    north, south = NAMESPACES
    types = reflected_types(temporal.address)
    async with httpx.AsyncClient(base_url=temporal.rest_url, trust_env=False, timeout=30) as client:
        yield Sides(
            theirs=Side(
                client=client,
                namespace=north,
                media_type="application/json+no-payload-shorthand",
                types=types,
            ),
            ours=Side(client=gateway.client, namespace=south, media_type="application/json", types=types),
        )
