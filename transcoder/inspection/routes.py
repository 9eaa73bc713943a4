"""The route table as operators see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from transcoder.config.values import format_duration
from transcoder.plan.plan import Route, Snapshot
from transcoder.routing.table import Conflict

SERVED: Final = "served"
WAITING: Final = "waiting for schema"
NOT_SERVED: Final = "not served"

Winners = Mapping[int, Route]
"""By the `id` of a route that lost a conflict: the route that is served in its place."""


def list_routes(snapshot: Snapshot) -> dict[str, Any]:
    """The effective table: `{"generation", "routes": [...], "conflicts": [...], "problems": [...]}`.

    A route is what `describe_route` makes of it; a conflict has http_method, winner and loser, each with name
    and path; a problem is a sentence.
    """
    winners = winners_of(snapshot)
    return {
        "generation": snapshot.generation,
        "routes": [describe_route(route, winners) for route in snapshot.routes],
        "conflicts": [_conflict(conflict) for conflict in snapshot.table.conflicts],
        "problems": list(snapshot.problems()),
    }


def winners_of(snapshot: Snapshot) -> Winners:
    """The conflicts of a snapshot, from the losers' side."""
    return {id(conflict.loser): conflict.winner for conflict in snapshot.table.conflicts}


def describe_route(route: Route, winners: Winners) -> dict[str, Any]:
    """A route: what it is called, where it leads, who may use it, and whether it is served.

    state: `served`, `waiting for schema`, or `not served`, and then problem says why; timeout: as the
    configuration writes durations, None for a stream without one.
    """
    problem = _problem(route, winners.get(id(route)))
    return {
        "name": route.info.name,
        "http_method": route.info.http_method,
        "path": route.info.template,
        "backend": route.info.backend,
        "method": route.info.method,
        "origin": route.info.origin,
        "auth_required": route.auth_required,
        "roles": route.require.roles,
        "scopes": route.require.scopes,
        "timeout": None if math.isinf(route.timeout) else format_duration(route.timeout),
        "state": _state(route, problem),
        "problem": problem,
        "notes": route.notes,
    }


def _problem(route: Route, winner: Route | None) -> str | None:
    if route.problem is None and winner is not None:
        return f"the same requests go to {winner.info.name} ({winner.info.template}), which comes first"
    return route.problem


def _state(route: Route, problem: str | None) -> str:
    if problem is not None:
        return NOT_SERVED
    return WAITING if route.plan is None else SERVED


def _conflict(conflict: Conflict[Route]) -> dict[str, Any]:
    return {
        "http_method": conflict.http_method,
        "winner": {"name": conflict.winner.info.name, "path": conflict.winner_template},
        "loser": {"name": conflict.loser.info.name, "path": conflict.loser_template},
    }
