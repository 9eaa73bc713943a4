"""The compiled form of everything a request needs: immutable, built seldom, only read per request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from transcoder.codec import Codec, JsonOptions
from transcoder.config.model import Config, RequireConfig
from transcoder.context import RouteInfo
from transcoder.plan.metadata import MetadataBuilder
from transcoder.plan.reply import Refuse
from transcoder.plan.unary import Exchange
from transcoder.routing.table import RouteTable
from transcoder.routing.template import Template
from transcoder.schema.rules import Binding
from transcoder.schema.schema import Schema
from transcoder.security.cors import CorsPolicy
from transcoder.security.policy import Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodPlan:
    """A compiled binding.

    path_fields: the request field each path variable binds, in template order; None for metadata only.
    exchange: how a request becomes a call of the method, and the call an answer; converse: the same over a
    WebSocket, None for methods without streams.
    """

    binding: Binding
    path_fields: tuple[str | None, ...]
    json: JsonOptions
    exchange: Exchange
    converse: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An entry of the route table.

    guards: run in order before anything else; timeout: seconds, the smallest of route, service and server;
    for a method with streams that of the route alone, or infinity.
    plan: None until the backend's schema is known, or when `problem` says why it cannot be served.
    notes: what an operator should know about a route that works.
    """

    info: RouteInfo
    template: Template
    auth_required: bool
    guards: tuple[Guard, ...]
    metadata: MetadataBuilder
    timeout: float
    require: RequireConfig = field(default_factory=RequireConfig)
    plan: MethodPlan | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRoutes:
    """What one backend contributes to a snapshot: compiled once per schema, reused until that changes.

    configured: routes of the configuration by their position in it; exposed: those derived from the schema;
    skipped: exposed bindings that cannot be served, a sentence each; codecs: of all these routes.
    """

    schema: Schema | None
    configured: Mapping[int, Route]
    exposed: tuple[Route, ...] = ()
    skipped: tuple[str, ...] = ()
    codecs: tuple[Codec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One generation of everything; a request reads exactly one.

    routes: all of them, in order of priority, those that lost a conflict included; refuse: answers requests
    that never reached a backend; cors: None when no other origin is allowed.
    """

    generation: int
    config: Config
    backends: Mapping[str, BackendRoutes]
    routes: tuple[Route, ...]
    table: RouteTable[Route]
    refuse: Refuse
    cors: CorsPolicy | None = None

    def codecs_beside(self, other: Snapshot) -> Iterator[Codec]:
        """Those of backends whose routes the other one does not share."""
        for name, backend in self.backends.items():
            if other.backends.get(name) is not backend:
                yield from backend.codecs

    def problems(self) -> Iterator[str]:
        """What an operator should look into, a sentence each."""
        for route in self.routes:
            if route.problem is not None:
                yield f"{route.info.name}: {route.problem}"
            yield from (f"{route.info.name}: {note}" for note in route.notes)
        for conflict in self.table.conflicts:
            yield (
                f"{conflict.loser.info.name}: {conflict.http_method} {conflict.loser_template}"
                f" is taken by {conflict.winner.info.name} ({conflict.winner_template})"
            )
        for name, backend in self.backends.items():
            yield from (f"{name}: {skipped}" for skipped in backend.skipped)
