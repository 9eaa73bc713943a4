"""What Sanic refuses by itself on the admin port, in the one shape of an error."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any

from sanic import HTTPResponse, Request
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler

from transcoder.errors import CANCELLED, INTERNAL_ERROR, TranscodeError, kind_of_http
from transcoder.events import EventLog
from transcoder.plan.reply import Refuse, refuse
from transcoder.server.http import REQUEST_ID, sane_request_id

AnyRequest = Request[Any, Any]


def request_id_of(request: AnyRequest) -> str:
    """The client's request id if it is one that can go anywhere, else a new one."""
    return sane_request_id(request.headers.get(REQUEST_ID))


class Refusals(ErrorHandler):
    """Gives what Sanic itself refuses, before there is a handler, the one shape of an error."""

    def __init__(self, log: EventLog, refuse: Refuse = refuse) -> None:
        super().__init__()
        self._log = log
        self._refuse = refuse

    def response(self, request: AnyRequest, exception: Exception) -> HTTPResponse:
        """The answer to a request Sanic could not or would not read, or to a bug."""
        request_id = request_id_of(request)
        reply = self._refuse(self._error(exception, request_id), request_id)
        headers = {**dict(reply.headers), REQUEST_ID: request_id}
        return HTTPResponse(reply.body, reply.status, headers, reply.content_type)

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
