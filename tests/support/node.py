"""The backend of tests/node: the same protocols from another implementation of gRPC."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.process import Process, running

_DIRECTORY: Final = Path(__file__).parents[1] / "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBackend:
    """It serves `library.v1.Library` (tests/node/library.proto) with reflection v1 and v1alpha."""

    address: str
    process: Process


@asynccontextmanager
async def running_node(port: int = 0) -> AsyncIterator[NodeBackend]:
    """Starts one; port 0 takes a free port. Raises AssertionError when Node.js or a package is missing."""
    node = shutil.which("node")
    assert node, "the tests need Node.js: run ./scripts/test"
    assert (_DIRECTORY / "node_modules").is_dir(), "tests/node lacks its packages: run ./scripts/test"
    async with running(node, str(_DIRECTORY / "server.js"), str(port)) as process:
        bound = (await process.wait_for_line("listening ")).removeprefix("listening ")
        yield NodeBackend(address=f"127.0.0.1:{bound}", process=process)
