"""The public port: every request goes to the one handler there is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sanic import Sanic
from sanic.router import Router

from transcoder.config.model import ServerConfig
from transcoder.context import Handler, Headers
from transcoder.events import EventLog
from transcoder.plan.reply import Refuse
from transcoder.server.connection import Connection, Patience
from transcoder.server.exchange import Exchanges


class NoRoutes(Router):
    """Lets an app start that has none."""

    def finalize(self, *_: Any, **__: Any) -> None:
        """Nothing to prepare."""


def make_public_app(
    handler: Handler,
    refuse: Refuse,
    config: ServerConfig,
    log: EventLog,
    patience: Patience | None = None,
    *,
    on_refusal: Callable[[bytes], Headers] = lambda _head: (),
) -> Sanic[Any, Any]:
    """The app of the public port: its connections ask the handler themselves.

    on_refusal: see `Exchanges`.
    """
    app: Sanic[Any, Any] = Sanic("transcoder", router=NoRoutes(), configure_logging=False)
    app.config.update(ACCESS_LOG=False, MOTD=False, TOUCHUP=False)
    set_limits(app, config)
    service = Exchanges(handler=handler, refusal=refuse, on_refusal=on_refusal, log=log, settings=app.config)
    app.ctx.protocol = partial(Connection, service=service, patience=patience or Patience())
    return app


def set_limits(app: Sanic[Any, Any], config: ServerConfig) -> None:
    """The limits of the configuration, for requests from now on."""
    app.config.update(REQUEST_MAX_SIZE=config.max_request_body)
