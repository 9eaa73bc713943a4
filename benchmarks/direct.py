"""A grpc.aio client that calls the backend itself, bytes in and bytes out: what no Python gateway can beat.

usage: python -m benchmarks.direct BACKEND DESCRIPTORS WORKLOAD CALLS SECONDS      prints one line of JSON
CALLS is how many are under way at once, all over one connection.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import grpc.aio
import orjson
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessages

from benchmarks.cells import SERVICE, WORKLOADS, Workload
from benchmarks.load import Load
from benchmarks.sample import Sample
from benchmarks.usage import usage_of

_PACKAGE: Final = SERVICE.rpartition(".")[0]


def request_wire(descriptors: bytes, workload: Workload) -> bytes:
    """The request message of a workload."""
    types = GetMessages(FileDescriptorSet.FromString(descriptors).file)
    message = types[f"{_PACKAGE}.{workload.request_type}"]()
    return ParseDict(dict(workload.request), message).SerializeToString()


async def measure(backend: str, wire: bytes, workload: Workload, calls: int, seconds: float) -> Sample:
    """Keep so many calls under way for a while."""
    async with grpc.aio.insecure_channel(backend) as channel:
        caller = _Caller(channel, wire, workload)
        before, started = usage_of(os.getpid()), perf_counter()
        tasks = [asyncio.create_task(caller.keep_calling()) for _ in range(calls)]
        await asyncio.sleep(seconds)
        load = Load.from_waits(caller.waits, done=caller.messages, seconds=perf_counter() - started)
        used = usage_of(os.getpid())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return Sample(load=load, cpu=used.cpu - before.cpu, rss=used.rss)


class _Caller:
    """Makes the calls of a workload. waits: seconds to the first response of each."""

    def __init__(self, channel: grpc.aio.Channel, wire: bytes, workload: Workload) -> None:
        path = f"/{SERVICE}/{workload.rpc}"
        self.waits: list[float] = []
        self.messages = 0
        self._wire = wire
        self._unary: Any = channel.unary_unary(path)
        self._stream: Any = channel.unary_stream(path)
        self._call: Callable[[], Awaitable[None]] = (
            self._read_stream if workload.unit == "message" else self._call_once
        )

    async def keep_calling(self) -> None:
        while True:
            await self._call()

    async def _call_once(self) -> None:
        asked = perf_counter()
        await self._unary(self._wire)
        self.waits.append(perf_counter() - asked)
        self.messages += 1

    async def _read_stream(self) -> None:
        asked = perf_counter()
        responses = aiter(self._stream(self._wire))
        await anext(responses)
        self.waits.append(perf_counter() - asked)
        self.messages += 1
        async for _ in responses:
            self.messages += 1


def main(backend: str, descriptors: str, name: str, calls: str, seconds: str) -> None:
    workload = next(workload for workload in WORKLOADS if workload.name == name)
    wire = request_wire(Path(descriptors).read_bytes(), workload)
    sample = asyncio.run(measure(backend, wire, workload, int(calls), float(seconds)))
    print(orjson.dumps(asdict(sample)).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
