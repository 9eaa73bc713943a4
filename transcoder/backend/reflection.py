"""Reading a backend's schema through gRPC server reflection (grpc/reflection/v1/reflection.proto)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2 as wire

from transcoder.backend.status import (
    from_closed_channel,
    from_exception,
    from_rpc_error,
    is_own_cancellation,
)
from transcoder.backend.waiting import release_writers
from transcoder.context import Metadata
from transcoder.errors import SERVICE_UNAVAILABLE, TranscodeError
from transcoder.schema.pool import imports_of, shipped_file
from transcoder.schema.source import FileSet

VERSIONS: Final = ("v1", "v1alpha")
"""Tried in this order; they are the same on the wire, under different names."""

_TRY_NEXT: Final = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE)

_WRITE_FAILED: Final = "Internal error from Core"
"""With this grpc hides the status of a stream that the backend ends just when it is written to
(https://github.com/grpc/grpc/issues/36066)."""

_LIST: Final = wire.ServerReflectionRequest(list_services="*")

StreamMethod = grpc.aio.StreamStreamMultiCallable[bytes, bytes]
UnaryStreamMethod = grpc.aio.UnaryStreamMultiCallable[bytes, bytes]

_WINDOW: Final = 64
"""Requests on their way at once on the one stream."""

_LONGEST: Final = 500
"""Characters of the reason for a refusal, which may be the backend's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectionLimits:
    """What a backend may send. seconds: for one version's exchange; size: bytes of all answers together."""

    seconds: float = 10.0
    size: int = 64 * 1024 * 1024
    files: int = 10_000
    services: int = 5_000


DEFAULT_LIMITS: Final = ReflectionLimits()


async def reflect(
    channel: grpc.aio.Channel, metadata: Metadata, limits: ReflectionLimits = DEFAULT_LIMITS
) -> FileSet:
    """Every service a backend lists, with the files that describe it and all that they import.

    Raises TranscodeError (SERVICE_UNAVAILABLE) when the backend cannot be reached, has no reflection, or
    sends more than the limits allow; its reason says which.
    """
    failures: dict[str, list[str]] = {}
    for version in VERSIONS:
        try:
            return await _converse(channel, version, metadata, limits)
        except grpc.aio.AioRpcError as error:
            text = f"{error.code().name} {from_rpc_error(error).reason}"
            failures.setdefault(text, []).append(version)
            if error.code() not in _TRY_NEXT:
                break
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
            raise from_closed_channel() from None
        except grpc.aio.UsageError as error:
            raise from_exception(error) from error
    raise _refused("; ".join(f"{' and '.join(tried)}: {text}" for text, tried in failures.items()))


async def _converse(
    channel: grpc.aio.Channel, version: str, metadata: Metadata, limits: ReflectionLimits
) -> FileSet:
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    method: StreamMethod = channel.stream_stream(path)
    stream = method(metadata=metadata, timeout=limits.seconds)
    release_writers(stream)
    try:
        return await _Exchange(stream=stream, limits=limits, version=version).run()
    except grpc.aio.AioRpcError as error:
        if error.details() == _WRITE_FAILED:
            await _raise_status(channel.unary_stream(path), metadata, limits)
        raise
    finally:
        stream.cancel()


async def _raise_status(method: UnaryStreamMethod, metadata: Metadata, limits: ReflectionLimits) -> None:
    """Raise what the backend ends a stream with; nothing is written to this one that could fail first."""
    call = method(_LIST.SerializeToString(), metadata=metadata, timeout=limits.seconds)
    try:
        async for _ in call:
            pass
    finally:
        call.cancel()


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """One conversation on one reflection stream."""

    stream: grpc.aio.StreamStreamCall[bytes, bytes]
    limits: ReflectionLimits
    version: str
    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    imported: set[str] = field(default_factory=set)
    unavailable: set[str] = field(default_factory=set)
    size: int = 0

    async def run(self) -> FileSet:
        services = await self._list_services()
        described = await self._describe(services)
        while missing := self._missing():
            await self._fetch(missing)
        with suppress(grpc.aio.InternalError):  # the backend has ended it: all that was asked is answered
            await self.stream.done_writing()
        return FileSet(
            files=self.files, services=tuple(described), origin=self.version, problems=tuple(self.problems)
        )

    async def _list_services(self) -> list[str]:
        (answer,) = await self._ask([_LIST])
        if answer.HasField("error_response"):
            raise _refused(f"{self.version}: list_services: {answer.error_response.error_message}")
        services = [service.name for service in answer.list_services_response.service]
        self._bound("services", len(services), self.limits.services)
        return list(dict.fromkeys(services))

    async def _describe(self, services: list[str]) -> list[str]:
        """Fetch the files that declare the services; returns those the backend could describe."""
        requests = [wire.ServerReflectionRequest(file_containing_symbol=name) for name in services]
        described = []
        for name, answer in zip(services, await self._ask(requests), strict=True):
            if self._keep(answer):
                described.append(name)
            else:
                self.problems.append(f"service {name!r} left out: {answer.error_response.error_message}")
        return described

    async def _fetch(self, names: list[str]) -> None:
        """Fetch files by name; those the backend does not have are not asked for again."""
        requests = [wire.ServerReflectionRequest(file_by_filename=name) for name in names]
        for name, answer in zip(names, await self._ask(requests), strict=True):
            if not self._keep(answer) or name not in self.files:
                self.unavailable.add(name)
                self.problems.append(f"file {name!r} missing: {answer.error_response.error_message}")

    def _missing(self) -> list[str]:
        """Imports that neither the backend has sent nor the gateway brings itself."""
        wanted = self.imported - self.files.keys() - self.unavailable
        return sorted(name for name in wanted if shipped_file(name) is None)

    def _keep(self, answer: Any) -> bool:
        """Keep the files of an answer; False when it is an error instead."""
        if not answer.HasField("file_descriptor_response"):
            return False
        for data in answer.file_descriptor_response.file_descriptor_proto:
            try:
                name = str(descriptor_pb2.FileDescriptorProto.FromString(data).name)
            except DecodeError:
                self.problems.append("a file left out: not a FileDescriptorProto")
                continue
            if self.files.setdefault(name, data) is data:
                self.imported.update(imports_of(data))
        self._bound("files", len(self.files), self.limits.files)
        return True

    async def _ask(self, requests: list[Any]) -> list[Any]:
        """The answers to requests, in their order; some are always on their way."""
        answers: list[Any] = []
        for start in range(0, len(requests), _WINDOW):
            window = requests[start : start + _WINDOW]
            await self._write(window)
            answers += [await self._read() for _ in window]
        return answers

    async def _write(self, requests: Iterable[Any]) -> None:
        # a stream that has ended cannot be written to; reading then says why it ended
        with suppress(asyncio.InvalidStateError):
            for request in requests:
                await self.stream.write(request.SerializeToString())

    async def _read(self) -> Any:
        data = await self.stream.read()
        if not isinstance(data, bytes):
            raise _refused(f"{self.version}: the backend ended the stream early")
        self.size += len(data)
        self._bound("bytes", self.size, self.limits.size)
        try:
            return wire.ServerReflectionResponse.FromString(data)
        except DecodeError as error:
            raise _refused(f"{self.version}: the backend sent something else than a response") from error

    def _bound(self, what: str, value: int, limit: int) -> None:
        if value > limit:
            raise _refused(f"{self.version}: more than {limit} {what}")


def _refused(reason: str) -> TranscodeError:
    return TranscodeError(SERVICE_UNAVAILABLE, "", reason=f"reflection: {reason[:_LONGEST]}")
