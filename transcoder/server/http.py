"""Between Sanic's requests and responses and the gateway's."""

from __future__ import annotations

import re
import uuid
from asyncio import CancelledError
from contextlib import aclosing
from typing import Any, Final

from sanic import HTTPResponse, Request
from sanic.compat import Header
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler

from transcoder.context import Body, Reply, RequestContext, StreamReply
from transcoder.errors import CANCELLED, INTERNAL_ERROR, TranscodeError, kind_of_http
from transcoder.events import EventLog
from transcoder.plan.reply import Refuse, refuse

AnyRequest = Request[Any, Any]

REQUEST_ID: Final = "x-request-id"
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
NO_SNIFFING: Final = ("x-content-type-options", "nosniff")
"""No answer is taken for another type than it says, whatever bytes a backend sends (Fetch Standard)."""

NO_STORE: Final = ("cache-control", "no-store")
"""Said where the backend says nothing about caching: some caches keep such an answer on their own terms, and
know of one caller's answers only those to `Authorization` (RFC 9111, sections 3.5 and 4.2.2)."""

_CACHING: Final = frozenset({"cache-control", "expires", "etag", "last-modified"})
_SANE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:/+=@-]{1,128}")


class TargetedRequest(Request[Any, Any]):
    """A request whose target only `context_of` reads; Sanic fails on one without a path (`http://host`)."""

    @property
    def path(self) -> str:
        """What Sanic's router is asked for; ours has one answer."""
        return "/"


def context_of(request: AnyRequest, body: Body) -> RequestContext:
    """The facts of a request; target and header values just as they came."""
    path, _, query = origin_form(request.raw_url.decode("ascii")).partition("?")
    return RequestContext(
        http_method=request.method,
        path=path,
        query=query,
        # Sanic leaves the white space behind a value, which is no part of it (RFC 9110, section 5.5)
        headers=tuple((name, value.strip(" \t")) for name, value in request.headers.items()),
        body=body,
        peer=request.ip,
        scheme="https" if request.conn_info is not None and request.conn_info.ssl else "http",
        request_id=request_id_of(request),
    )


def origin_form(target: str) -> str:
    """Path and query of a request target; proxies may send it in absolute form (RFC 9112, section 3.2)."""
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    rest = target[absolute.end() :]
    return rest if rest.startswith("/") else f"/{rest}"


def request_id_of(request: AnyRequest) -> str:
    """The client's request id if it is one that can go anywhere, else a new one."""
    value = request.headers.get(REQUEST_ID)
    if isinstance(value, str) and _SANE_REQUEST_ID.fullmatch(value):
        return value
    return uuid.uuid4().hex


def response_of(reply: Reply, request_id: str) -> HTTPResponse:
    """A reply as Sanic sends it."""
    headers = _headers(reply, request_id)
    return HTTPResponse(reply.body, reply.status, headers, reply.content_type)


async def send_stream(request: AnyRequest, reply: StreamReply, request_id: str) -> None:
    """Send the frames of a reply as they come, each when the client has room for it."""
    headers = _headers(reply, request_id)
    try:
        response = await request.respond(
            status=reply.status, headers=headers, content_type=reply.content_type
        )
        if request.method != "HEAD":
            async with aclosing(reply.frames) as frames:
                async for frame in frames:
                    await response.send(frame)
        await response.eof()
    except TranscodeError:
        # without the end of its chunks, no client takes the body for complete
        request.transport.close()
    finally:
        await reply.close()


def _headers(reply: Reply | StreamReply, request_id: str) -> Header:
    is_silent = _CACHING.isdisjoint(name for name, _ in reply.headers)
    caching = (NO_STORE,) if is_silent else ()
    return Header([*reply.headers, *caching, NO_SNIFFING, (REQUEST_ID, request_id)])


class Refusals(ErrorHandler):
    """Gives what Sanic itself refuses, before there is a handler, the one shape of an error."""

    def __init__(self, log: EventLog, refuse: Refuse = refuse) -> None:
        super().__init__()
        self._log = log
        self._refuse = refuse

    def response(self, request: AnyRequest, exception: Exception) -> HTTPResponse:
        """The answer to a request Sanic could not or would not read, or to a bug."""
        request_id = request_id_of(request)
        return response_of(self._refuse(self._error(exception, request_id), request_id), request_id)

    def _error(self, exception: BaseException, request_id: str) -> TranscodeError:
        if isinstance(exception, CancelledError):
            return TranscodeError(CANCELLED, "the client went away")  # it will not read this
        if not isinstance(exception, SanicException):
            self._log.error("unexpected error", request_id=request_id, exc_info=exception)
            return TranscodeError(INTERNAL_ERROR, "", reason=repr(exception))
        kind = kind_of_http(exception.status_code)
        message = kind.name.lower().replace("_", " ")
        headers = [(name.lower(), value) for name, value in exception.headers.items()]
        self._log.info(
            "request refused", status=kind.http, code=kind.name, request_id=request_id, reason=str(exception)
        )
        return TranscodeError(kind, message, reason=str(exception), headers=headers)
