"""What one request carries through the layers: immutable facts in, an answer out, and a deadline between."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol
from urllib.parse import quote

from transcoder.errors import Code

_UNENCODED: Final = "".join(map(chr, range(0x21, 0x25))) + "".join(map(chr, range(0x26, 0x7F)))

Metadata = Sequence[tuple[str, str | bytes]]
"""gRPC metadata: lower-case keys; values are printable ASCII text, or bytes under keys that end in `-bin`."""

Headers = Sequence[tuple[str, str]]
"""HTTP headers in the order they came, names in lower case; a repeated header is repeated here too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a verified credential says the caller is.

    claims: everything the credential says; roles and scopes: what `require` of a route is held against;
    metadata: what the backend is told (`x-user-id`, `x-user-email`, forwarded claims), ready to send.
    """

    user_id: str
    email: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    metadata: Metadata = ()
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()


Origin = Literal["config", "annotations", "methods"]
"""Where a route comes from, highest priority first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteInfo:
    """What a route is called, for logs and operators.

    template: path template; backend: key of `services`; method: `pkg.Service/Method` (as written in the
    configuration until the schema is known).
    """

    name: str
    http_method: str
    template: str
    backend: str
    method: str
    origin: Origin


class Body(Protocol):
    """The body of a request, not read before somebody wants it. It can be read once, one way or the other."""

    async def read(self) -> bytes:
        """All of it. Raises TranscodeError: PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT, INVALID_ARGUMENT."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Its parts as they arrive, however many; raises as `read` does, but for the size of the whole."""


class Socket(Protocol):
    """A WebSocket: whole messages both ways."""

    async def receive(self) -> bytes | None:
        """The next message, None when the client has gone."""

    async def send(self, message: bytes, *, is_text: bool) -> bool:
        """Send a message; False when the client has gone."""

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye; a reason that is too long is cut."""


@dataclass(slots=True)
class RequestContext:
    """One HTTP request as the server read it.

    Not `kw_only`, as every request makes one: keywords take 0.5 us more.

    http_method: as sent, case kept. path and query: the raw target split at the first `?`, still
    percent-encoded. peer: address of the TCP peer. scheme: of this connection, `http` or `https`.
    principal: set by the authentication guard, None on open routes. route: set once one matched.
    accept: opens the WebSocket the client asks for, None if it does not. trace_id: 32 hex digits, set when
    the request is traced.
    """

    http_method: str
    path: str
    query: str
    headers: Headers
    body: Body
    peer: str
    scheme: str
    request_id: str
    principal: Principal | None = None
    route: RouteInfo | None = None
    accept: Callable[[], Awaitable[Socket]] | None = None
    trace_id: str | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


@dataclass(slots=True)
class Reply:
    """The answer to a request, before it is written as HTTP.

    code: `OK`, or the error's name; grpc_code: what that is in gRPC, for metrics; reason: for the log only.
    Not frozen, as every request makes one and that would take three times as long; nor `kw_only`: 0.2 us.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Headers = ()
    code: str = "OK"
    grpc_code: Code = Code.OK
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class StreamReply:
    """An answer whose body comes in frames.

    frames: parts of the body, each to be sent at once. A TranscodeError they raise could not be told in the
    format of the stream: the connection is to be cut. close: to be awaited when the answer is over, however.
    code, grpc_code, reason: as in Reply; they change if the stream ends with an error. keep_alive: to be sent
    when no frame has come for a while; empty if the format has nothing that can be overlooked.
    is_complete: told by whoever sends it, before it is closed.
    """

    status: int = 200
    content_type: str
    headers: Headers
    frames: AsyncGenerator[bytes, None]
    close: Callable[[], Awaitable[None]]
    code: str = "OK"
    grpc_code: Code = Code.OK
    reason: str | None = None
    keep_alive: bytes = b""
    is_complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What a unary call came back with. metadata: initial metadata, then trailers."""

    wire: bytes
    metadata: Metadata = ()


UnaryCall = Callable[[bytes, Metadata, float], Awaitable[CallResult]]
"""`(wire, metadata, timeout in seconds)`; raises TranscodeError only. The seam to the network."""


class Stream(Protocol):
    """One call of a streaming method."""

    async def send(self, wire: bytes) -> bool:
        """Send a message; False if the call is over and wants none."""

    async def close_send(self) -> None:
        """Say that no more messages follow."""

    async def receive(self) -> bytes | None:
        """The next message, None after the last. Raises TranscodeError with what the call ended with."""

    async def headers(self) -> Metadata:
        """The initial metadata, when they have come."""

    async def trailers(self) -> Metadata:
        """The trailers, when the call is over."""

    def cancel(self) -> None:
        """End the call, if it is not over."""


class OpenStream(Protocol):
    """Opens calls of one streaming method: UnaryCall's sibling."""

    def __call__(self, metadata: Metadata, timeout: float | None, only: bytes | None = None) -> Stream:
        """A call. timeout: seconds, None for no deadline; only: the one request message, if there is one.

        Raises TranscodeError.
        """


class Calls(Protocol):
    """Calls of the methods of one backend, by path (`/pkg.Service/Method`).

    is_retried: whether a call that failed may be made again, as the backend's `retries` say.
    """

    def unary(self, path: str, *, is_retried: bool = False) -> UnaryCall:
        """Calls of a unary method."""

    def stream(self, path: str, *, is_retried: bool = False) -> OpenStream:
        """Calls of a method with streams."""


Handler = Callable[[RequestContext], Awaitable[Reply | StreamReply]]
"""The gateway as observers and the HTTP server see it: answers every request, raises only when cancelled."""


def metadata_text(value: str) -> str:
    """A text as a metadata value: itself if plain, else percent-encoded UTF-8, so that no two are alike.

    gRPC allows only %x20-%x7E in such values, and servers trim the spaces around them.
    """
    if value.isascii() and value.isprintable() and "%" not in value and value == value.strip():
        return value
    return quote(value, safe=_UNENCODED, errors="surrogateescape")
