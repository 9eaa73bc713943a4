"""What is folded around the calls of a backend: observers of their end, and guards that refuse them."""

from __future__ import annotations

from collections.abc import Callable

from transcoder.context import CallResult, Calls, Metadata, OpenStream, Stream, UnaryCall
from transcoder.errors import Code, TranscodeError

End = Callable[[Code], None]
"""Told once with what a call ended; CANCELLED when it was abandoned."""

Begin = Callable[[Metadata, float | None], tuple[Metadata, End]]
"""`(metadata, timeout in seconds)` of a call to be made -> the metadata to send, and whom to tell of its end.

Raises TranscodeError to refuse the call.
"""


class WatchedCalls:
    """`Calls` with something around each. begin_of: what to do at the begin of calls of a method, by path."""

    def __init__(self, calls: Calls, begin_of: Callable[[str], Begin]) -> None:
        self._calls = calls
        self._begin_of = begin_of

    def unary(self, path: str, *, is_retried: bool = False) -> UnaryCall:
        """Calls of a unary method."""
        call = self._calls.unary(path, is_retried=is_retried)
        begin = self._begin_of(path)

        async def watched(wire: bytes, metadata: Metadata, timeout: float) -> CallResult:  # noqa: ASYNC109
            metadata, end = begin(metadata, timeout)
            code = Code.CANCELLED
            try:
                result = await call(wire, metadata, timeout)
                code = Code.OK
            except TranscodeError as error:
                code = error.kind.grpc
                raise
            finally:
                end(code)
            return result

        return watched

    def stream(self, path: str, *, is_retried: bool = False) -> OpenStream:
        """Calls of a method with streams."""
        open_stream = self._calls.stream(path, is_retried=is_retried)
        begin = self._begin_of(path)

        def watched(metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
            metadata, end = begin(metadata, timeout)
            try:
                return _WatchedStream(open_stream(metadata, timeout, only), end)
            except TranscodeError as error:
                end(error.kind.grpc)
                raise

        return watched


class _WatchedStream:
    """A `Stream` whose end is told."""

    def __init__(self, stream: Stream, end: End) -> None:
        self._stream = stream
        self._end: End | None = end
        self.send = stream.send
        self.close_send = stream.close_send
        self.headers = stream.headers
        self.trailers = stream.trailers

    async def receive(self) -> bytes | None:
        """The next message, None after the last. Raises TranscodeError with what the call ended with."""
        try:
            message = await self._stream.receive()
        except TranscodeError as error:
            self._ended(error.kind.grpc)
            raise
        if message is None:
            self._ended(Code.OK)
        return message

    def cancel(self) -> None:
        """End the call, if it is not over."""
        self._stream.cancel()
        self._ended(Code.CANCELLED)

    def _ended(self, code: Code) -> None:
        end, self._end = self._end, None
        if end is not None:
            end(code)
