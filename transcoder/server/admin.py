"""The admin port: what operators see and steer, as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Final, Protocol

import orjson
from sanic import HTTPResponse, Sanic
from sanic.response import BaseHTTPResponse

from transcoder.config.export import masked
from transcoder.config.model import Config
from transcoder.errors import INVALID_ARGUMENT, SERVICE_UNAVAILABLE, TranscodeError
from transcoder.gateway import Gateway
from transcoder.inspection.inspected import backend_of
from transcoder.inspection.routes import list_routes
from transcoder.inspection.services import (
    describe_service,
    describe_type,
    descriptor_set,
    list_methods,
    list_services,
)
from transcoder.observe.logs import get_log
from transcoder.server.control import Control, Outcome
from transcoder.server.guard import check_neighbour, check_origin, check_token
from transcoder.server.http import REQUEST_ID, AnyRequest, Refusals, request_id_of

MAX_BODY: Final = 64 * 1024
"""Bytes of a request body; nobody reads it."""

PROTOBUF: Final = "application/x-protobuf"

View = Callable[..., Awaitable[Any]]
"""`(request, **path variables)` -> what is answered as JSON, or a whole response. Raises TranscodeError."""


class Administered(Protocol):
    """What is shown and steered: a worker."""

    gateway: Gateway
    control: Control

    @property
    def config(self) -> Config:
        """The configuration in effect."""


def make_admin_app(worker: Administered) -> Sanic[Any, Any]:
    """The app of the admin port."""
    app: Sanic[Any, Any] = Sanic(
        "transcoder-admin", error_handler=Reasons(get_log()), configure_logging=False
    )
    # touching up rewrites classes that the app of the public port uses, too
    app.config.update(ACCESS_LOG=False, MOTD=False, TOUCHUP=False, REQUEST_MAX_SIZE=MAX_BODY)
    app.register_middleware(_guard(worker), "request")
    app.register_middleware(_complete, "response")
    _add_views(app, _Views(worker))
    return app


class Reasons(Refusals):
    """Refusals with their reasons: operators may read what clients may not."""

    def response(self, request: AnyRequest, exception: Exception) -> HTTPResponse:
        """The answer to a request that is refused, or to a bug."""
        if not isinstance(exception, TranscodeError):
            return super().response(request, exception)
        request_id = request_id_of(request)
        error = {"code": exception.kind.name, "message": exception.reason, "request_id": request_id}
        headers = {**dict(exception.headers), REQUEST_ID: request_id}
        return _json({"error": error}, exception.kind.http, headers)


class _Views:
    """The endpoints, of a worker."""

    def __init__(self, worker: Administered) -> None:
        self._worker = worker

    async def services(self, _request: AnyRequest) -> Any:
        return list_services(self._worker.gateway)

    async def service(self, _request: AnyRequest, name: str) -> Any:
        return describe_service(self._worker.gateway, name)

    async def methods(self, _request: AnyRequest, name: str) -> Any:
        return await list_methods(self._worker.gateway, name)

    async def type(self, _request: AnyRequest, name: str, type_name: str) -> Any:
        return await describe_type(self._worker.gateway, name, type_name)

    async def descriptors(self, _request: AnyRequest, name: str) -> Any:
        body = await descriptor_set(self._worker.gateway, name)
        headers = {"content-disposition": f'attachment; filename="{name}.binpb"'}
        return HTTPResponse(body, headers=headers, content_type=PROTOBUF)

    async def routes(self, _request: AnyRequest) -> Any:
        return list_routes(self._worker.gateway.snapshot)

    async def config(self, _request: AnyRequest) -> Any:
        return masked(self._worker.config)

    async def reload(self, _request: AnyRequest) -> Any:
        return _of_all_workers(await self._worker.control.everywhere("reload"))

    async def refresh(self, _request: AnyRequest, name: str) -> Any:
        backend_of(self._worker.gateway, name)
        return _of_all_workers(await self._worker.control.everywhere("refresh", backend=name))


def _of_all_workers(outcomes: list[Outcome]) -> Any:
    failures = [outcome for outcome in outcomes if not outcome["ok"]]
    if failures:
        raise TranscodeError(
            INVALID_ARGUMENT if "problems" in failures[0] else SERVICE_UNAVAILABLE,
            "",
            reason=failures[0]["message"],
        )
    return {"workers": outcomes}


def _add_views(app: Sanic[Any, Any], views: _Views) -> None:
    for path, view in (
        ("/services", views.services),
        ("/services/<name>", views.service),
        ("/services/<name>/methods", views.methods),
        ("/services/<name>/types/<type_name>", views.type),
        ("/services/<name>/descriptors", views.descriptors),
        ("/routes", views.routes),
        ("/config", views.config),
    ):
        app.add_route(_answering(view), path, methods=["GET", "HEAD"], name=view.__name__, unquote=True)
    for path, view in (("/reload", views.reload), ("/services/<name>/refresh", views.refresh)):
        app.add_route(_answering(view), path, methods=["POST"], name=view.__name__, unquote=True)


def _answering(view: View) -> Callable[..., Coroutine[Any, Any, HTTPResponse]]:
    @wraps(view)
    async def handler(request: AnyRequest, **variables: str) -> HTTPResponse:
        answer = await view(request, **variables)
        return answer if isinstance(answer, HTTPResponse) else _json(answer)

    return handler


def _guard(worker: Administered) -> Callable[[AnyRequest], None]:
    def guard(request: AnyRequest) -> None:
        admin = worker.config.admin
        hosts = request.headers.getall("host", [])
        if admin.token is None:
            check_neighbour(request.ip, hosts, admin)
        else:
            check_token(request.headers.getall("authorization", []), admin.token.get_secret_value())
        check_origin(request.method, request.headers.getall("origin", []), hosts)

    return guard


def _complete(request: AnyRequest, response: BaseHTTPResponse) -> None:
    """What every answer has."""
    response.headers.setdefault(REQUEST_ID, request_id_of(request))
    response.headers["x-content-type-options"] = "nosniff"
    response.headers["cache-control"] = "no-store"


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(orjson.dumps(value), status, headers, "application/json")
