"""Which route answers a request, why that one, and what of the request ends up where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import zip_longest
from typing import Any, Final

from transcoder.errors import TranscodeError
from transcoder.inspection.inspected import Inspected
from transcoder.inspection.request import describe_request
from transcoder.inspection.routes import describe_route, winners_of
from transcoder.plan.plan import Route, Snapshot
from transcoder.routing.table import ANY_METHOD
from transcoder.routing.template import Template, Wildcard

_ALONE: Final = "no other route answers this request"
_PREFERRED: Final = "the most specific of the routes that answer this request, and the first of equals"


async def explain(gateway: Inspected, http_method: str, target: str) -> dict[str, Any]:
    """How the gateway would answer a request; no backend is called but for a schema that was never read.

    target: path and query as a client would send them, still percent-encoded.
    With matched true: route (as `describe_route` describes it), why it, and what `describe_request` says;
    with false: status, code, message and allow of the refusal. others: every other route whose template fits
    the path, with why it was not chosen.
    """
    path, _, query = target.partition("?")
    unread = await _read_schema(gateway, http_method, path)
    snapshot = gateway.snapshot
    asked = {"http_method": http_method, "path": path}
    try:
        route, captures = snapshot.table.match(http_method, path)
    except TranscodeError as error:
        return asked | _refusal(error, snapshot, http_method, path)
    others = list(_others(snapshot, route, http_method, path))
    has_rivals = any(_answers(other, http_method) for other, _ in others)
    described = describe_route(route, winners_of(snapshot))
    return asked | {
        "matched": True,
        "route": described if unread is None else described | {"problem": unread},
        "why": _PREFERRED if has_rivals else _ALONE,
        **describe_request(route, captures, query, snapshot),
        "others": [_other(*other) for other in others],
    }


async def _read_schema(gateway: Inspected, http_method: str, path: str) -> str | None:
    """Read the schema the route of a request waits for; why that failed, if it did."""
    with suppress(TranscodeError):
        route, _ = gateway.snapshot.table.match(http_method, path)
        backend = gateway.backends.get(route.info.backend)
        if route.plan is None and route.problem is None and backend is not None:
            try:
                await backend.current_schema()
            except TranscodeError as error:
                return error.reason
    return None


def _refusal(error: TranscodeError, snapshot: Snapshot, http_method: str, path: str) -> dict[str, Any]:
    allow = dict(error.headers).get("allow", "")
    return {
        "matched": False,
        "status": error.kind.http,
        "code": error.kind.name,
        "message": error.message,
        "allow": allow.split(", ") if allow else [],
        "others": [_other(*other) for other in _others(snapshot, None, http_method, path)],
    }


def _other(route: Route, why: str) -> dict[str, Any]:
    info = route.info
    return {"name": info.name, "http_method": info.http_method, "path": info.template, "why": why}


def _others(
    snapshot: Snapshot, chosen: Route | None, http_method: str, path: str
) -> Iterator[tuple[Route, str]]:
    """The other routes whose template fits a path, each with why it is not the chosen one."""
    with suppress(TranscodeError):
        for route in snapshot.table.candidates(path):
            if route is not chosen:
                yield route, _why_not(route, chosen, http_method)
            for conflict in snapshot.table.conflicts:
                if conflict.winner is route:
                    yield conflict.loser, f"answers the same requests as {route.info.name}, which comes first"


def _why_not(route: Route, chosen: Route | None, http_method: str) -> str:
    if chosen is None or not _answers(route, http_method):
        return f"answers {route.info.http_method} only"
    if http_method == chosen.info.http_method == "HEAD" != route.info.http_method:
        return f"{chosen.info.name} is for HEAD itself"
    if route.template.shape == chosen.template.shape:
        return f"answers any HTTP method; {chosen.info.name} is for {chosen.info.http_method} itself"
    return f"less specific than {chosen.info.name}: {_difference(route.template, chosen.template)}"


def _answers(route: Route, http_method: str) -> bool:
    accepted = {http_method, ANY_METHOD, "GET"} if http_method == "HEAD" else {http_method, ANY_METHOD}
    return route.info.http_method in accepted


def _difference(template: Template, chosen: Template) -> str:
    """Where a template is first less specific than another that fits the same path."""
    if template.verb != chosen.verb:
        return f"verb {_verb(chosen)} is preferred to {_verb(template)}"
    pairs = zip_longest(template.segments, chosen.segments)
    number, one, other = next((n, one, other) for n, (one, other) in enumerate(pairs, 1) if one != other)
    return f"segment {number} is {_segment(one)}, not {_segment(other)}"


def _verb(template: Template) -> str:
    return f"`:{template.verb}`" if template.verb else "none"


def _segment(segment: str | Wildcard | None) -> str:
    if segment is None:
        return "the end"
    return f"`{segment.value if isinstance(segment, Wildcard) else segment}`"
