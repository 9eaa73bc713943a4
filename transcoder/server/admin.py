"""The admin port: what operators see and steer, as JSON, and what Prometheus reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, Final, Protocol

import orjson
from sanic import HTTPResponse, Sanic
from sanic.response import BaseHTTPResponse

from transcoder.config.export import masked
from transcoder.config.model import Config
from transcoder.errors import INVALID_ARGUMENT, SERVICE_UNAVAILABLE, TranscodeError, gateway_shape
from transcoder.gateway import Gateway
from transcoder.inspection.explain import explain
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
from transcoder.server.control import TIMEOUT, Control, Outcome
from transcoder.server.guard import check_neighbour, check_origin, check_token
from transcoder.server.http import REQUEST_ID
from transcoder.server.refusals import AnyRequest, Refusals, request_id_of

MAX_BODY: Final = 64 * 1024
"""Bytes of a request body; nobody reads it."""

NO_CONTENT: Final = "default-src 'none'; frame-ancestors 'none'"
"""What an answer may load where a browser shows it, unless it is a page and says more."""

RESPONSE_MARGIN: Final = 30.0
"""Seconds by which Sanic's limit on answers lies above that on commands, which is the one that counts."""

View = Callable[..., Awaitable[Any]]
"""`(request, **path variables)` -> what to answer as JSON, or a whole response. Raises TranscodeError."""


class Administered(Protocol):
    """What is shown and steered: a worker."""

    gateway: Gateway
    control: Control

    @property
    def config(self) -> Config:
        """The configuration in effect."""

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics of all workers, and their content type."""


def make_admin_app(worker: Administered) -> Sanic[Any, Any]:
    """The app of the admin port."""
    app: Sanic[Any, Any] = Sanic(
        "transcoder-admin", error_handler=Reasons(get_log()), configure_logging=False
    )
    app.config.update(
        ACCESS_LOG=False,
        MOTD=False,
        TOUCHUP=False,  # it rewrites classes that the app of the public port uses, too
        REQUEST_MAX_SIZE=MAX_BODY,
        RESPONSE_TIMEOUT=TIMEOUT + RESPONSE_MARGIN,
    )
    app.register_middleware(_guard(worker), "request")
    app.register_middleware(_complete, "response")
    _add_views(app, _Views(worker))
    return app


class Reasons(Refusals):
    """Refusals with their reasons: operators may read what clients may not."""

    def response(self, request: AnyRequest, exception: Exception) -> HTTPResponse:
        """The answer to a request that is refused, or to a bug."""
        if isinstance(exception, TranscodeError):
            return _refusal(request, exception)
        return super().response(request, exception)


class _Views:
    """The endpoints: each asks the one function that knows."""

    def __init__(self, worker: Administered) -> None:
        self._worker = worker

    async def services(self, _request: AnyRequest) -> Any:
        return list_services(self._worker.gateway)

    async def service(self, _request: AnyRequest, name: str) -> Any:
        return describe_service(self._worker.gateway, name)

    async def methods(self, _request: AnyRequest, name: str) -> Any:
        return await list_methods(self._worker.gateway, name)

    async def message(self, _request: AnyRequest, name: str, message: str) -> Any:
        return await describe_type(self._worker.gateway, name, message)

    async def descriptors(self, _request: AnyRequest, name: str) -> Any:
        return HTTPResponse(
            await descriptor_set(self._worker.gateway, name),
            headers={"content-disposition": f'attachment; filename="{name}.binpb"'},
            content_type="application/x-protobuf",
        )

    async def routes(self, _request: AnyRequest) -> Any:
        return list_routes(self._worker.gateway.snapshot)

    async def explain(self, request: AnyRequest) -> Any:
        asked = {name: values[-1] for name, values in request.args.items()}
        if unknown := sorted(asked.keys() - {"method", "path"}):
            problem = f"unknown parameter {unknown[0]!r}: write the & of a path as %26"
            raise TranscodeError(INVALID_ARGUMENT, problem)
        if "path" not in asked:
            raise TranscodeError(INVALID_ARGUMENT, "parameter 'path' is missing")
        return await explain(self._worker.gateway, asked.get("method", "GET"), asked["path"])

    async def config(self, _request: AnyRequest) -> Any:
        return masked(self._worker.config)

    async def metrics(self, request: AnyRequest) -> Any:
        page, content_type = await self._worker.metrics(",".join(request.headers.getall("accept", [])))
        return HTTPResponse(page, content_type=content_type)

    async def reload(self, request: AnyRequest) -> Any:
        return _of_all(request, await self._worker.control.everywhere("reload"))

    async def refresh(self, request: AnyRequest, name: str) -> Any:
        backend_of(self._worker.gateway, name)
        return _of_all(request, await self._worker.control.everywhere("refresh", backend=name))


def _add_views(app: Sanic[Any, Any], views: _Views) -> None:
    reading: Mapping[str, View] = {
        "/services": views.services,
        "/services/<name>": views.service,
        "/services/<name>/methods": views.methods,
        "/services/<name>/types/<message>": views.message,
        "/services/<name>/descriptors": views.descriptors,
        "/routes": views.routes,
        "/routes/explain": views.explain,
        "/config": views.config,
        "/metrics": views.metrics,
    }
    changing: Mapping[str, View] = {"/reload": views.reload, "/services/<name>/refresh": views.refresh}
    for methods, paths in ((("GET", "HEAD"), reading), (("POST",), changing)):
        for path, view in paths.items():
            app.add_route(_answering(view), path, methods=methods, name=view.__name__, unquote=True)


def _answering(view: View) -> Callable[..., Coroutine[Any, Any, HTTPResponse]]:
    @wraps(view)
    async def answer(request: AnyRequest, **variables: str) -> HTTPResponse:
        found = await view(request, **variables)
        return found if isinstance(found, HTTPResponse) else _json(found)

    return answer


def _of_all(request: AnyRequest, outcomes: Sequence[Outcome]) -> Any:
    """What a command led to in all workers; a refusal if it failed in one."""
    failures = [outcome for outcome in outcomes if not outcome["ok"]]
    if not failures:
        return {"workers": outcomes}
    workers: dict[str, list[int]] = {}
    for failure in failures:
        for problem in failure.get("problems", [failure["message"]]):
            workers.setdefault(problem, []).append(failure["worker"])
    kind = INVALID_ARGUMENT if any("problems" in failure for failure in failures) else SERVICE_UNAVAILABLE
    details = [{"problem": problem, "workers": where} for problem, where in workers.items()]
    return _refusal(request, TranscodeError(kind, "", reason=failures[0]["message"]), details)


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
    """Give every answer the headers that all have."""
    response.headers.setdefault(REQUEST_ID, request_id_of(request))
    response.headers["x-content-type-options"] = "nosniff"
    response.headers["cache-control"] = "no-store"
    response.headers.setdefault("content-security-policy", NO_CONTENT)


def _refusal(
    request: AnyRequest, error: TranscodeError, details: Sequence[Mapping[str, Any]] = ()
) -> HTTPResponse:
    request_id = request_id_of(request)
    body = gateway_shape(error, request_id, details)
    body["error"]["message"] = error.reason
    return _json(body, error.kind.http, {**dict(error.headers), REQUEST_ID: request_id})


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(orjson.dumps(value), status, dict(headers or {}), "application/json")
