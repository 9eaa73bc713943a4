"""Which route answers a request: a trie over path segments, searched with full backtracking.

Only one sequence of segments leads to a node (`**` is always last), so a search visits no node twice:
it looks at the few nodes a path leads to, and its time is at worst linear in the size of the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from transcoder.errors import METHOD_NOT_ALLOWED, NOT_FOUND, TranscodeError
from transcoder.routing.path import Reading, read_path
from transcoder.routing.template import Template, Wildcard

T = TypeVar("T")

ANY_METHOD: Final = "*"
"""The `custom` kind of google.api.HttpRule that stands for every HTTP method."""

_ACCEPTED: Final[Mapping[str, Sequence[Sequence[str]]]] = {"HEAD": (("HEAD",), ("GET", ANY_METHOD))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict(Generic[T]):
    """Two entries that answer the same requests; the loser is never matched."""

    winner: T
    loser: T
    http_method: str
    winner_template: str
    loser_template: str


class Match(NamedTuple, Generic[T]):
    """The target of the route and its captured values, in the order of `Template.variables`."""

    target: T
    captures: tuple[str, ...]


_Route = tuple[Template, T]
_Routes = dict[str, _Route[T]]
_OPEN_END: Final = sys.maxsize


@dataclass(slots=True)
class _Node(Generic[T]):
    """The place after `depth` segments, or _OPEN_END after a `**`; routes: by verb, then by HTTP method."""

    depth: int
    routes: dict[str, _Routes[T]] = field(default_factory=dict)
    literals: dict[str, _Node[T]] = field(default_factory=dict)
    one: _Node[T] | None = None
    rest: _Node[T] | None = None

    def child(self, segment: str | Wildcard) -> _Node[T]:
        """The place after one more segment of a template; made when missing."""
        if isinstance(segment, str):
            return self.literals.setdefault(segment, _Node(self.depth + 1))
        if segment is Wildcard.ONE:
            self.one = self.one or _Node(self.depth + 1)
            return self.one
        self.rest = self.rest or _Node(_OPEN_END)
        return self.rest

    def search(self, readings: Sequence[Reading]) -> Iterator[tuple[Reading, _Routes[T]]]:
        """Every path shape below that a reading fits, in order of preference."""
        for reading in readings:
            verb, _, segments = reading
            pending = [self]
            while pending:
                node = pending.pop()
                if node.rest is not None:
                    pending.append(node.rest)
                if node.depth < len(segments):
                    segment = segments[node.depth]
                    if node.one is not None and segment:
                        pending.append(node.one)
                    if segment in node.literals:  # last, as it is to be looked at first
                        pending.append(node.literals[segment])
                elif verb in node.routes:
                    yield reading, node.routes[verb]


class RouteTable(Generic[T]):
    """Finds the target of a request. Immutable once built.

    entries: (http_method, template, target) in order of priority: of two with equal HTTP method and shape the
    first is served, and `conflicts` holds the pair. The HTTP method `*` stands for any.
    """

    def __init__(self, entries: Iterable[tuple[str, Template, T]]) -> None:
        self._root: _Node[T] = _Node(0)
        verbs: set[str] = set()
        conflicts: list[Conflict[T]] = []
        for http_method, template, target in entries:
            route = (template, target)
            served = self._place(template).setdefault(http_method, route)
            if served is not route:
                conflicts.append(_conflict(served, route, http_method))
            verbs.add(template.verb)
        self._verbs = frozenset(verbs - {""})
        self._verb_colons = max((1 + verb.count(":") for verb in self._verbs), default=0)
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
        readings = read_path(path, self._verbs, self._verb_colons)
        for accepted in _ACCEPTED.get(http_method) or ((http_method, ANY_METHOD),):
            for reading, routes in self._root.search(readings):
                for name in accepted:
                    if name in routes:
                        template, target = routes[name]
                        return Match(target=target, captures=reading.capture(template.variables))
        raise self._refusal(readings)

    def candidates(self, path: str) -> Iterator[T]:
        """Every target whose template a raw path fits, in order of preference; no losers of conflicts.

        Raises TranscodeError (INVALID_ARGUMENT) as `match` does.
        """
        if path.startswith("/"):
            for _, routes in self._root.search(read_path(path, self._verbs, self._verb_colons)):
                yield from (target for _, target in routes.values())

    def _place(self, template: Template) -> _Routes[T]:
        node = self._root
        for segment in template.segments:
            node = node.child(segment)
        return node.routes.setdefault(template.verb, {})

    def _refusal(self, readings: Sequence[Reading]) -> TranscodeError:
        allowed = {name for _, routes in self._root.search(readings) for name in routes}
        if not allowed:
            return TranscodeError(NOT_FOUND, "no route matches the path")
        if "GET" in allowed:
            allowed.add("HEAD")
        allow = ", ".join(sorted(allowed))
        return TranscodeError(METHOD_NOT_ALLOWED, f"the path allows only {allow}", headers=[("allow", allow)])


def _conflict(winner: _Route[T], loser: _Route[T], http_method: str) -> Conflict[T]:
    return Conflict(
        winner=winner[1],
        loser=loser[1],
        http_method=http_method,
        winner_template=winner[0].text,
        loser_template=loser[0].text,
    )
