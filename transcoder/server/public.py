"""The public port: one target for every request."""

from __future__ import annotations

from typing import Any, Final

from sanic import Sanic
from sanic.models.handler_types import RouteHandler
from sanic.response import HTTPResponse
from sanic.router import Router
from sanic_routing.route import Route

from transcoder.config.model import ServerConfig
from transcoder.context import Handler
from transcoder.events import EventLog
from transcoder.server.http import AnyRequest, Refusals, TargetedRequest, context_of, response_of

RESPONSE_MARGIN: Final = 30.0
"""Seconds by which Sanic's limit on answers lies above the gateway's, which is the one that counts."""


class OneTarget(Router):
    """Sends everything to the one route there is: the gateway has a route table of its own."""

    _target: tuple[Route, RouteHandler, dict[str, Any]]

    def get(self, *_: Any) -> tuple[Route, RouteHandler, dict[str, Any]]:  # type: ignore[override]
        """The only route, whatever path, method and host."""
        return self._target

    def finalize(self, *args: Any, **kwargs: Any) -> None:
        """Remember the only route."""
        super().finalize(*args, **kwargs)
        (route,) = self.routes
        self._target = (route, route.handler, {})


def make_public_app(handler: Handler, config: ServerConfig, log: EventLog) -> Sanic[Any, Any]:
    """The app of the public port; every request it can read goes to the handler."""
    app: Sanic[Any, Any] = Sanic(
        "transcoder",
        router=OneTarget(),
        error_handler=Refusals(log),
        request_class=TargetedRequest,
        configure_logging=False,
    )
    app.config.update(ACCESS_LOG=False, MOTD=False)
    set_limits(app, config)

    async def target(request: AnyRequest) -> HTTPResponse:
        ctx = context_of(request)
        return response_of(await handler(ctx), ctx.request_id)

    app.add_route(target, "/", methods=["GET"])
    return app


def set_limits(app: Sanic[Any, Any], config: ServerConfig) -> None:
    """The limits of the configuration, for connections that are made from now on."""
    app.config.update(
        REQUEST_MAX_SIZE=config.max_request_body,
        RESPONSE_TIMEOUT=config.request_timeout + RESPONSE_MARGIN,
    )
