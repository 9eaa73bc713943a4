"""Schemas of 10 to 5,000 messages, with a method for each: time and memory until all of it is served.

usage: python -m benchmarks.growth.schemas MESSAGES      prints one line of JSON; memory needs a fresh process
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

import orjson
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

from benchmarks.growth.series import Growth, Panel, seconds_of
from benchmarks.usage import usage_of
from transcoder.collector import THRESHOLDS, frozen
from transcoder.config.model import Config
from transcoder.gateway import Gateway
from transcoder.observe.logs import configure_logs, get_log
from transcoder.schema.schema import Schema
from transcoder.schema.source import from_descriptor_set
from transcoder.server.worker import SWITCH_INTERVAL

SIZES: Final = (10, 30, 100, 300, 1000, 3000, 5000)
_X: Final = "messages, each with a method"
_PACKAGE: Final = "bench.wide.v1"
_OF_A_FILE: Final = 20
_TICK: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What it took.

    read: seconds of CPU from descriptors to a schema; serve: from nothing to a table with all routes; stall:
    the longest time of that, in seconds, for which the event loop could do nothing else; memory: bytes.
    """

    read: float
    serve: float
    stall: float
    memory: int


def measure_schemas(sizes: Sequence[int] = SIZES) -> Growth:
    costs = [(size, _measure_apart(size)) for size in sizes]
    seconds = {
        "CPU from descriptors to a schema": [(size, cost.read) for size, cost in costs],
        "CPU until all methods are served": [(size, cost.serve) for size, cost in costs],
        "longest stall of the event loop": [(size, cost.stall) for size, cost in costs],
    }
    memory = {"resident memory": [(size, cost.memory / 2**20) for size, cost in costs]}
    return Growth(
        name="schemas",
        title="Cost over the size of a schema",
        panels=[Panel(x=_X, y="seconds", lines=seconds), Panel(x=_X, y="MiB", lines=memory)],
    )


def descriptors_of(messages: int) -> bytes:
    """A FileDescriptorSet of messages, each with a method; twenty to a file, as people write them."""
    files = (
        _file(range(start, min(start + _OF_A_FILE, messages))) for start in range(0, messages, _OF_A_FILE)
    )
    return FileDescriptorSet(file=files).SerializeToString()


def _file(numbers: range) -> FileDescriptorProto:
    """Messages with scalars, lists and the message before them, and one service."""
    package = f"{_PACKAGE}.p{numbers.start}"
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    service = file.service.add(name="Service")
    for index in numbers:
        name = f".{package}.Message{index}"
        message = file.message_type.add(name=f"Message{index}")
        for number, (field, kind, label) in enumerate(_FIELDS, 1):
            message.field.add(name=field, number=number, type=kind, label=label)
        message.field[-1].type_name = f".{package}.Message{max(index - 1, numbers.start)}"
        service.method.add(name=f"Method{index}", input_type=name, output_type=name)
    return file


_ONE: Final = FieldDescriptorProto.LABEL_OPTIONAL
_MANY: Final = FieldDescriptorProto.LABEL_REPEATED
_FIELDS: Final = (
    ("id", FieldDescriptorProto.TYPE_STRING, _ONE),
    ("count", FieldDescriptorProto.TYPE_INT32, _ONE),
    ("total", FieldDescriptorProto.TYPE_INT64, _ONE),
    ("price", FieldDescriptorProto.TYPE_DOUBLE, _ONE),
    ("is_open", FieldDescriptorProto.TYPE_BOOL, _ONE),
    ("payload", FieldDescriptorProto.TYPE_BYTES, _ONE),
    ("tags", FieldDescriptorProto.TYPE_STRING, _MANY),
    ("parts", FieldDescriptorProto.TYPE_MESSAGE, _MANY),
)


async def measure(messages: int) -> Cost:
    """In this process, which should not have done so before."""
    data = descriptors_of(messages)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        before, started = usage_of(os.getpid()).rss, process_time()
        async with _watched_loop() as stalls:
            gateway = await _serve(Path(file.name))
        serve = process_time() - started
    memory = usage_of(os.getpid()).rss - before
    routes = len(gateway.snapshot.routes)
    await gateway.close(grace=0)
    if routes != messages:
        raise AssertionError(f"{routes} of {messages} methods are served")
    read = seconds_of(lambda: Schema.from_files(from_descriptor_set(data)))
    return Cost(read=read, serve=serve, stall=max(stalls), memory=memory)


async def _serve(descriptors: Path) -> Gateway:
    """A gateway with a route for each method; the backend is not asked for anything."""
    gateway = Gateway(log=get_log(), build=frozen)  # as in a worker
    service = {"address": "127.0.0.1:1", "descriptor_set": str(descriptors), "expose": ["methods"]}
    await gateway.apply(Config.model_validate({"services": {"wide": service}}))
    await gateway.settled()
    return gateway


@asynccontextmanager
async def _watched_loop() -> AsyncIterator[list[float]]:
    """Seconds, each time, that the event loop was late."""
    stalls = [0.0]

    async def tick() -> None:
        while True:
            asked = perf_counter()
            await asyncio.sleep(_TICK)
            stalls.append(perf_counter() - asked - _TICK)

    ticking = asyncio.create_task(tick())
    try:
        yield stalls
    finally:
        ticking.cancel()


def _measure_apart(messages: int) -> Cost:
    command = [sys.executable, "-m", "benchmarks.growth.schemas", str(messages)]
    done = subprocess.run(command, check=True, capture_output=True)
    return Cost(**orjson.loads(done.stdout))


if __name__ == "__main__":
    configure_logs("warning", "json")
    gc.set_threshold(*THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL)
    print(orjson.dumps(asdict(asyncio.run(measure(int(sys.argv[1]))))).decode())
