"""Which route answers a request: a trie over path segments for each verb, searched with full backtracking.

Only one sequence of segments leads to a node (`**` is always last), so a search visits no node twice:
it looks at the few nodes a path leads to, and its time is at worst linear in the size of the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Generic, TypeAlias, TypeVar

from transcoder.errors import METHOD_NOT_ALLOWED, NOT_FOUND, TranscodeError
from transcoder.routing.path import Capture, Reading, compile_capture, read_path
from transcoder.routing.template import Template, Wildcard

T = TypeVar("T")

ANY_METHOD: Final = "*"
"""The `custom` kind of google.api.HttpRule that stands for every HTTP method."""

_ACCEPTED: Final[Mapping[str, Sequence[tuple[str, str]]]] = {"HEAD": (("HEAD", "HEAD"), ("GET", ANY_METHOD))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict(Generic[T]):
    """Two entries that answer the same requests; the loser is never matched."""

    winner: T
    loser: T
    http_method: str
    winner_template: str
    loser_template: str


Match: TypeAlias = tuple[T, tuple[str, ...]]
"""The target of a route, and its captured values in the order of `Template.variables`."""

_Route: TypeAlias = tuple[T, Capture, Template]
_Routes: TypeAlias = dict[str, _Route[T]]
"""By HTTP method."""

_OPEN_END: Final = sys.maxsize


@dataclass(slots=True)
class _Node(Generic[T]):
    """The place after `depth` segments, or _OPEN_END after a `**`.

    Most have little of what a node can have, and an empty dict is as large as a node: so it is None.
    """

    depth: int
    routes: _Routes[T] | None = None
    literals: dict[str, _Node[T]] | None = None
    one: _Node[T] | None = None
    rest: _Node[T] | None = None

    def child(self, segment: str | Wildcard) -> _Node[T]:
        """The place after one more segment of a template; made when missing."""
        if isinstance(segment, str):
            self.literals = literals = self.literals or {}
            if segment not in literals:
                literals[sys.intern(segment)] = _Node(self.depth + 1)
            return literals[segment]
        if segment is Wildcard.ONE:
            self.one = self.one or _Node(self.depth + 1)
            return self.one
        self.rest = self.rest or _Node(_OPEN_END)
        return self.rest


class RouteTable(Generic[T]):
    """Finds the target of a request. Immutable once built.

    entries: (http_method, template, target) in order of priority: of two with equal HTTP method and shape the
    first is served, and `conflicts` holds the pair. The HTTP method `*` stands for any.
    """

    def __init__(self, entries: Iterable[tuple[str, Template, T]]) -> None:
        self._roots: dict[str, _Node[T]] = {"": _Node(0)}  # by verb
        capture_of = cache(compile_capture)  # so that routes alike share it
        conflicts: list[Conflict[T]] = []
        for http_method, template, target in entries:
            route = (target, capture_of(template.variables), template)
            served = self._place(template).setdefault(http_method, route)
            if served is not route:
                conflicts.append(_conflict(served, route, http_method))
        self._verb_colons = max((1 + verb.count(":") for verb in self._roots if verb), default=0)
        self.conflicts = tuple(conflicts)

    def match(self, http_method: str, path: str) -> Match[T]:
        """The route of a request by its case-sensitive HTTP method and its raw, still percent-encoded path.

        The longest verb that leads to a route wins over shorter ones and these over none (then `:x` is data).
        With equal verbs each segment, from the left, prefers a literal to `*` to `**`. In the same place an
        exact method wins over `*`. HEAD is served by GET or `*` when no route for HEAD itself matches.

        Raises TranscodeError: NOT_FOUND; METHOD_NOT_ALLOWED with `Allow` if the path only matches for other
        methods; INVALID_ARGUMENT as `read_path` does.
        """
        if not path.startswith("/"):
            raise TranscodeError(NOT_FOUND, "no route matches the path")
        readings = read_path(path, self._roots, self._verb_colons)
        for name, substitute in _ACCEPTED.get(http_method) or ((http_method, ANY_METHOD),):
            for verb, raw, decoded in readings:
                pending = [self._roots[verb]]
                while (routes := _next_place(pending, decoded)) is not None:
                    route = routes.get(name) or routes.get(substitute)
                    if route is not None:
                        target, capture, _ = route
                        return target, capture(raw, decoded)
        raise self._refusal(readings)

    def candidates(self, path: str) -> Iterator[T]:
        """Every target whose template a raw path fits, in order of preference; no losers of conflicts.

        Raises TranscodeError (INVALID_ARGUMENT) as `match` does.
        """
        if path.startswith("/"):
            for routes in self._places(read_path(path, self._roots, self._verb_colons)):
                yield from (target for target, _, _ in routes.values())

    def _place(self, template: Template) -> _Routes[T]:
        node = self._roots.setdefault(template.verb, _Node(0))
        for segment in template.segments:
            node = node.child(segment)
        node.routes = node.routes or {}
        return node.routes

    def _places(self, readings: Iterable[Reading]) -> Iterator[_Routes[T]]:
        for verb, _, decoded in readings:
            yield from iter(partial(_next_place, [self._roots[verb]], decoded), None)

    def _refusal(self, readings: Sequence[Reading]) -> TranscodeError:
        allowed = {name for routes in self._places(readings) for name in routes}
        if not allowed:
            return TranscodeError(NOT_FOUND, "no route matches the path")
        if "GET" in allowed:
            allowed.add("HEAD")
        allow = ", ".join(sorted(allowed))
        return TranscodeError(METHOD_NOT_ALLOWED, f"the path allows only {allow}", headers=[("allow", allow)])


def _next_place(pending: list[_Node[T]], segments: Sequence[str]) -> _Routes[T] | None:
    """The routes of the next place that segments lead to, in order of preference; None if there is no more.

    pending: the nodes to go on from, the next one last. It is the whole state of a search: whoever asks again
    gets the next place, and to stop costs nothing (a generator that is not read to its end has to be closed).
    """
    size = len(segments)
    while pending:
        node = pending.pop()
        while node.depth < size:
            if node.rest is not None:
                pending.append(node.rest)
            segment = segments[node.depth]
            literal = None if node.literals is None else node.literals.get(segment)
            one = node.one if segment else None
            if literal is not None:
                if one is not None:
                    pending.append(one)
                node = literal
            elif one is not None:
                node = one
            else:
                break
        else:
            if node.rest is not None:
                pending.append(node.rest)
            if node.routes is not None:
                return node.routes
    return None


def _conflict(winner: _Route[T], loser: _Route[T], http_method: str) -> Conflict[T]:
    return Conflict(
        winner=winner[0],
        loser=loser[0],
        http_method=http_method,
        winner_template=winner[2].text,
        loser_template=loser[2].text,
    )
