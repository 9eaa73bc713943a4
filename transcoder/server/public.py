"""The public port: one target for every request."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from sanic import Sanic
from sanic.models.handler_types import RouteHandler
from sanic.response import HTTPResponse
from sanic.router import Router
from sanic_routing.route import Route

from transcoder.config.model import ServerConfig
from transcoder.context import Handler, StreamReply
from transcoder.events import EventLog
from transcoder.plan.conversation import SWITCHING_PROTOCOLS
from transcoder.plan.reply import Refuse
from transcoder.server.body import RequestBody
from transcoder.server.http import (
    AnyRequest,
    Refusals,
    TargetedRequest,
    context_of,
    response_of,
    send_stream,
)
from transcoder.server.websocket import accept_socket, is_upgrade


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


def make_public_app(handler: Handler, refuse: Refuse, config: ServerConfig, log: EventLog) -> Sanic[Any, Any]:
    """The app of the public port: every request it can read goes to the handler, others are refused."""
    app: Sanic[Any, Any] = Sanic(
        "transcoder",
        router=OneTarget(),
        error_handler=Refusals(log, refuse),
        request_class=TargetedRequest,
        configure_logging=False,
    )
    # calls have deadlines of their own, and streams last as long as their ends want
    app.config.update(ACCESS_LOG=False, MOTD=False, RESPONSE_TIMEOUT=math.inf)
    set_limits(app, config)

    async def target(request: AnyRequest) -> HTTPResponse | None:
        body = RequestBody(request.stream, app.config.REQUEST_MAX_SIZE)
        ctx = context_of(request, body)
        if is_upgrade(request):
            ctx.accept = partial(accept_socket, request)
        reply = await handler(ctx)
        if reply.status == SWITCHING_PROTOCOLS:
            return None
        if isinstance(reply, StreamReply):
            await send_stream(request, reply, ctx.request_id)
            return None
        if reply.status < 300:
            await body.skip()
        return response_of(reply, ctx.request_id)

    target.is_websocket = True  # type: ignore[attr-defined]  # Sanic then takes no answer for an answer
    app.add_route(target, "/", methods=["GET"], stream=True)
    return app


def set_limits(app: Sanic[Any, Any], config: ServerConfig) -> None:
    """The limits of the configuration, for requests from now on."""
    app.config.update(REQUEST_MAX_SIZE=config.max_request_body)
