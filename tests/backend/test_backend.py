"""A backend's schema: read once, kept, looked at again, replaced as a whole."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend import RecordingBackend
from tests.support.events import Events
from tests.support.metrics import Counts
from tests.support.protos import Schema as Compiled
from transcoder.backend import backend as module
from transcoder.backend.backend import Backend
from transcoder.config.model import ServiceConfig
from transcoder.errors import SERVICE_UNAVAILABLE, TranscodeError
from transcoder.schema.schema import Schema
from transcoder.schema.source import FileSet, from_descriptor_set


def file_set(*methods: str) -> FileSet:
    """The files of a service `a.S` with these methods."""
    text = " ".join(f"rpc {method}(M) returns (M);" for method in methods)
    proto = f'syntax = "proto3"; package a; message M {{}} service S {{ {text} }}'
    return from_descriptor_set(Compiled.from_protos(proto).files.SerializeToString())


ONE, TWO = file_set("One"), file_set("One", "Two")


class Source:
    """Stands for reflection: what it has is what a look finds; an exception is raised.

    gate: a look ends only while it is set.
    """

    def __init__(self) -> None:
        self.has: FileSet | Exception = ONE
        self.looks = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.metadata: Any = None
        self.looked = asyncio.Condition()

    async def reflect(self, _channel: Any, metadata: Any) -> FileSet:
        self.looks += 1
        self.metadata = metadata
        async with self.looked:
            self.looked.notify_all()
        await self.gate.wait()
        if isinstance(self.has, Exception):
            raise self.has
        return self.has

    async def wait_for_looks(self, count: int) -> None:
        async with asyncio.timeout(10), self.looked:
            await self.looked.wait_for(lambda: self.looks >= count)


class Changes:
    """Takes over schemas; refuses while `error` is set."""

    def __init__(self) -> None:
        self.schemas: list[Schema] = []
        self.error: Exception | None = None

    async def take(self, _backend: Backend, schema: Schema) -> None:
        if self.error is not None:
            raise self.error
        self.schemas.append(schema)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    one = Source()
    monkeypatch.setattr(module, "reflect", one.reflect)
    return one


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts() -> Counts:
    return Counts()


Make = Callable[..., Backend]


@pytest.fixture
async def make(events: Events, changes: Changes, clock: Clock, counts: Counts) -> AsyncIterator[Make]:
    made: list[Backend] = []

    def make(schema: Schema | None = None, **config: Any) -> Backend:
        settings = ServiceConfig.model_validate({"address": "127.0.0.1:1", **config})
        backend = Backend(
            "b", settings, log=events, on_change=changes.take, meter=counts, clock=clock, schema=schema
        )
        made.append(backend)
        return backend

    yield make
    for backend in made:
        await backend.close(0)


async def failed(look: Awaitable[Schema]) -> str:
    with pytest.raises(TranscodeError) as caught:
        await look
    assert caught.value.kind is SERVICE_UNAVAILABLE
    assert caught.value.message == "service unavailable"
    return str(caught.value.reason)


def unavailable(reason: str) -> TranscodeError:
    return TranscodeError(SERVICE_UNAVAILABLE, "", reason=reason)


async def test_first_calls_share_one_look(make: Make, source: Source, changes: Changes) -> None:
    backend = make()
    source.gate.clear()
    calls = [asyncio.create_task(backend.current_schema()) for _ in range(50)]
    await source.wait_for_looks(1)
    source.gate.set()
    schemas = await asyncio.gather(*calls)
    assert source.looks == 1
    assert all(schema is backend.schema for schema in schemas)
    assert changes.schemas == [backend.schema]
    await backend.current_schema()
    assert source.looks == 1


async def test_loading_is_logged(make: Make, source: Source, events: Events) -> None:
    source.has = FileSet(
        files=TWO.files, services=(*TWO.services, "gone.S"), origin="v1alpha", problems=("said before",)
    )
    schema = await make().refresh()
    (loaded,) = events.named("schema loaded")
    assert (loaded.level, loaded.fields) == (
        "info",
        {
            "backend": "b",
            "services": 1,
            "methods": 2,
            "origin": "v1alpha",
            "fingerprint": schema.fingerprint[:12],
        },
    )
    assert [one.fields["problem"] for one in events.named("schema incomplete")] == [
        "said before",
        "service 'gone.S' left out: its description is missing or broken",
    ]


async def test_static_metadata_goes_with_a_look(make: Make, source: Source) -> None:
    await make(metadata={"authorization": "Bearer x"}).refresh()
    assert source.metadata == (("authorization", "Bearer x"),)


async def test_failure_stands_for_a_second(make: Make, source: Source, clock: Clock, events: Events) -> None:
    backend = make()
    source.has = unavailable("down")
    assert await failed(backend.current_schema()) == "down"
    assert backend.last_error == "down"
    clock.now += 0.99
    assert await failed(backend.current_schema()) == "down"
    assert source.looks == 1
    clock.now += 0.02
    source.has = ONE
    assert (await backend.current_schema()).services
    assert source.looks == 2
    assert backend.last_error is None
    assert [one.fields for one in events.named("schema not loaded")] == [{"backend": "b", "reason": "down"}]


async def test_failure_is_logged_when_it_changes(make: Make, source: Source, events: Events) -> None:
    backend = make()
    for reason in ("down", "down", "refused", "down"):
        source.has = unavailable(reason)
        await failed(backend.refresh())
    reasons = [one.fields["reason"] for one in events.named("schema not loaded")]
    assert reasons == ["down", "refused", "down"]


async def test_failure_shared_by_waiting_calls(make: Make, source: Source) -> None:
    backend = make()
    source.has = unavailable("down")
    assert await asyncio.gather(*(failed(backend.current_schema()) for _ in range(5))) == ["down"] * 5
    assert source.looks == 1


async def test_last_good_schema_survives_a_failed_look(make: Make, source: Source, changes: Changes) -> None:
    backend = make()
    good = await backend.refresh()
    source.has = unavailable("down")
    assert await failed(backend.refresh()) == "down"
    assert backend.schema is good
    assert await backend.current_schema() is good
    assert backend.last_error == "down"
    source.has = ONE
    assert await backend.refresh() is good
    assert backend.last_error is None
    assert changes.schemas == [good]


async def test_looks_are_counted(
    make: Make, source: Source, clock: Clock, counts: Counts, changes: Changes
) -> None:
    """read_at: of the last that was good."""
    backend = make()
    assert backend.read_at is None
    await backend.refresh()
    clock.now += 10
    await backend.refresh()
    good = clock.now
    clock.now += 10
    source.has = unavailable("down")
    await failed(backend.refresh())
    source.has = TWO
    changes.error = RuntimeError("cannot")
    await failed(backend.refresh())
    outcomes = counts.by("outcome", "transcoder_schema_refreshes_total")
    assert outcomes == {"changed": 1, "unchanged": 1, "failed": 2}
    assert backend.read_at == good


async def test_same_files_are_the_same_schema(make: Make, source: Source, changes: Changes) -> None:
    backend = make()
    first = await backend.refresh()
    source.has = FileSet(files=dict(reversed(ONE.files.items())), services=ONE.services, origin="v1")
    assert await backend.refresh() is first
    assert len(changes.schemas) == 1


async def test_other_files_are_another_schema(make: Make, source: Source, changes: Changes) -> None:
    backend = make()
    first = await backend.refresh()
    source.has = TWO
    second = await backend.refresh()
    assert second is backend.schema
    assert [method.name for method in second.methods()] == ["One", "Two"]
    assert changes.schemas == [first, second]


async def test_schema_that_is_not_adopted_is_none(make: Make, source: Source, changes: Changes) -> None:
    backend = make()
    good = await backend.refresh()
    source.has = TWO
    changes.error = RuntimeError("cannot")
    assert await failed(backend.refresh()) == "schema cannot be used: RuntimeError('cannot')"
    assert backend.schema is good
    changes.error = None
    assert await backend.refresh() is not good


async def test_look_that_breaks_is_a_failure_like_any_other(make: Make, source: Source) -> None:
    backend = make(expose=["methods"])
    source.has = AttributeError("a bug")
    assert await failed(backend.refresh()) == "schema cannot be used: AttributeError('a bug')"


async def test_cancelled_caller_does_not_end_the_look_of_others(make: Make, source: Source) -> None:
    backend = make()
    source.gate.clear()
    gone, patient = (asyncio.create_task(backend.current_schema()) for _ in range(2))
    await source.wait_for_looks(1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    source.gate.set()
    assert await patient is backend.schema


async def test_failed_look_that_nobody_waits_for_is_no_unhandled_error(
    make: Make, source: Source, events: Events
) -> None:
    unhandled: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    source.gate.clear()
    source.has = unavailable("down")
    caller = asyncio.create_task(make().refresh())
    await source.wait_for_looks(1)
    caller.cancel()
    source.gate.set()
    await events.wait_for("schema not loaded")
    await asyncio.gather(caller, return_exceptions=True)
    assert unhandled == []


async def test_descriptor_set_is_used_instead_of_reflection(
    make: Make, source: Source, tmp_path: Path
) -> None:
    path = tmp_path / "set.binpb"
    path.write_bytes(Schema.from_files(ONE).descriptor_set())
    backend = make(descriptor_set=str(path))
    schema = await backend.current_schema()
    assert (schema.origin, list(schema.services)) == ("descriptor_set", ["a.S"])
    path.write_bytes(Schema.from_files(TWO).descriptor_set())
    assert len(list((await backend.refresh()).methods())) == 2
    assert source.looks == 0
    assert backend.connection.state == "unused"


@pytest.mark.parametrize("content", [None, b"\xff\xff"])
async def test_bad_descriptor_set_is_said(make: Make, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "set.binpb"
    if content is not None:
        path.write_bytes(content)
    reason = await failed(make(descriptor_set=str(path)).current_schema())
    assert reason.startswith(f"descriptor_set {path}: ")


async def test_exposed_backend_is_read_at_start(make: Make, source: Source, events: Events) -> None:
    backend = make(expose=["methods"])
    assert not backend.settled.is_set()
    backend.start()
    backend.start()
    await asyncio.wait_for(backend.settled.wait(), 5)
    assert backend.schema is not None
    assert source.looks == 1


async def test_exposed_backend_that_fails_is_settled_and_tried_again(
    make: Make, source: Source, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNSEEN_INTERVAL", 0.01)
    monkeypatch.setattr(module, "HINT_PAUSE", 0.01)
    backend = make(expose=["methods"])
    source.has = AttributeError("a bug")
    backend.start()
    await asyncio.wait_for(backend.settled.wait(), 5)
    assert backend.schema is None
    await source.wait_for_looks(3)
    source.has = ONE
    await events.wait_for("schema loaded")


async def test_other_backend_is_read_when_first_needed(
    make: Make, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at start, and not because something hints at a change of what nobody has asked for."""
    passes = asyncio.Semaphore(0)
    wait_for = asyncio.wait_for

    async def counted(awaitable: Any, timeout: float) -> Any:  # noqa: ASYNC109
        passes.release()
        return await wait_for(awaitable, timeout)

    backend = make()
    assert backend.settled.is_set()
    monkeypatch.setattr(module.asyncio, "wait_for", counted)
    backend.start()
    await passes.acquire()
    backend.hint()
    await passes.acquire()
    assert source.looks == 0
    await backend.current_schema()
    assert source.looks == 1


async def test_hint_leads_to_a_look_soon(make: Make, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HINT_PAUSE", 0)
    backend = make(refresh_interval="1h")
    await backend.refresh()
    backend.start()
    source.has = TWO
    backend.hint()
    await source.wait_for_looks(2)
    assert len(list((await backend.refresh()).methods())) == 2


async def test_hints_share_a_look(make: Make, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    pausing = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        pausing.set()
        await asyncio.Event().wait()

    backend = make(refresh_interval="1h")
    await backend.refresh()
    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    backend.start()
    for _ in range(10):
        backend.hint()
    await asyncio.wait_for(pausing.wait(), 5)
    assert (source.looks, pauses) == (2, [module.HINT_PAUSE])


async def test_schema_is_looked_at_again_by_and_by(
    make: Make, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HINT_PAUSE", 0)
    backend = make(refresh_interval="10ms")
    await backend.refresh()
    backend.start()
    await source.wait_for_looks(4)


async def test_known_schema_is_kept_and_checked(make: Make, source: Source, changes: Changes) -> None:
    """What a reload hands over; it counts as seen."""
    known = Schema.from_files(ONE)
    backend = make(schema=known, expose=["methods"])
    assert backend.settled.is_set()
    assert await backend.current_schema() is known
    assert source.looks == 0
    assert await backend.refresh() is known
    assert changes.schemas == []


async def test_close_ends_everything(make: Make, source: Source) -> None:
    backend = make(expose=["methods"])
    backend.start()
    source.gate.clear()
    waiting = asyncio.create_task(failed(backend.current_schema()))
    await source.wait_for_looks(1)
    await backend.close(0)
    assert await waiting == "the channel was closed"
    left = {task.get_name() for task in asyncio.all_tasks()}
    assert not left & {"keep schema of b", "read schema of b", "watch b"}
    await backend.close(0)


@pytest.mark.usefixtures("source")
async def test_closed_backend_frees_itself(events: Events) -> None:
    """What only the collector would find it does not find: generations are kept from it."""

    async def take(*_: object) -> None:
        pass

    config = ServiceConfig.model_validate({"address": "127.0.0.1:1", "expose": ["methods"]})
    backend = Backend("b", config, log=events, on_change=take)
    gc.collect()
    gc.disable()
    try:
        backend.start()
        await backend.settled.wait()
        assert repr(backend) == "Backend('b', idle)"
        await backend.close(0)
        left = weakref.ref(backend)
        del backend
        await asyncio.sleep(0)
        assert left() is None
    finally:
        gc.enable()


async def test_reconnect_hints_at_another_schema(events: Events, changes: Changes) -> None:
    """With a real server that comes back with another schema."""
    old, new = (
        Compiled.from_protos(f'syntax = "proto3"; package a; message M {{}} service S {{ {methods} }}')
        for methods in ("rpc One(M) returns (M);", "rpc Two(M) returns (M);")
    )
    async with RecordingBackend(old) as server:
        config = ServiceConfig.model_validate({"address": server.address, "expose": ["methods"]})
        backend = Backend("b", config, log=events, on_change=changes.take)
        backend.start()
        try:
            await events.wait_for("schema loaded")
            await server.stop()
            server.schema = new
            await server.start()
            backend.connection.channel.get_state(try_to_connect=True)
            await events.wait_for("schema loaded", count=2)
            assert [method.name for method in changes.schemas[-1].methods()] == ["Two"]
            assert repr(backend) == "Backend('b', ready)"
        finally:
            await backend.close(0)
