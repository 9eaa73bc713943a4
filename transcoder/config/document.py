"""A configuration file as plain values that know where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from transcoder.config.messages import explain
from transcoder.config.model import RoutesFile
from transcoder.config.places import Loc, Places, problem_at
from transcoder.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says; broken: the values that could not be made out, as `problems` tell."""

    data: Mapping[str, Any] = field(default_factory=dict)
    places: Places = field(default_factory=dict)
    problems: Sequence[Problem] = ()
    broken: frozenset[Loc] = frozenset()


def with_routes(main: Document, routes: Document) -> Document:
    """A document with the routes of another, its routes file."""
    problems = [*main.problems, *routes.problems, *_unknown_keys(routes)]
    here, there = main.data.get("routes"), routes.data.get("routes")
    if here and there:
        problems.append(problem_at(main.places, ("routes",), "routes_file has routes too: keep one of both"))
    return Document(
        data={**main.data, "routes": there or here},
        places={**main.places, **{loc: place for loc, place in routes.places.items() if "routes" in loc[:1]}},
        problems=problems,
        broken=main.broken | routes.broken,
    )


def _unknown_keys(routes: Document) -> Iterator[Problem]:
    rest = {key: value for key, value in routes.data.items() if key != "routes"}
    try:
        RoutesFile.model_validate(rest)
    except ValidationError as error:
        for loc, message in explain(error, RoutesFile):
            yield problem_at(routes.places, loc, message)
