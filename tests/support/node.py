"""The programs of tests/node: a backend of another implementation of gRPC, and what a web page does."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
    """Starts the backend; port 0 takes a free one. Raises AssertionError where Node.js or a package lacks."""
    async with _running("server.js", str(port)) as process:
        bound = (await process.wait_for_line("listening ")).removeprefix("listening ")
        yield NodeBackend(address=f"127.0.0.1:{bound}", process=process)


def running_page(kind: str, url: str, *messages: str) -> AbstractAsyncContextManager[Process]:
    """Starts an EventSource (`events`), or a WebSocket (`socket`) that sends the messages."""
    return _running("page.js", kind, url, *messages)


def _running(script: str, *arguments: str) -> AbstractAsyncContextManager[Process]:
    node = shutil.which("node")
    assert node, "the tests need Node.js: run ./scripts/test"
    assert (_DIRECTORY / "node_modules").is_dir(), "tests/node lacks its packages: run ./scripts/test"
    return running(node, str(_DIRECTORY / script), *arguments)
