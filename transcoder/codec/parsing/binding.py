"""Path variables and query parameters to wire bytes.

Each value becomes a message that holds nothing but the bound field; concatenated they merge, as the wire
format has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from transcoder.codec import wire
from transcoder.codec.options import Unknown
from transcoder.codec.parsing import fields
from transcoder.codec.parsing.fields import Encoder
from transcoder.codec.parsing.invalid import Invalid, shown
from transcoder.codec.parsing.oneofs import Choice, Chosen, FieldPath, Numbers, choices_of, choose, numbers_of
from transcoder.codec.parsing.scalars import kind_tag, text_scalar
from transcoder.codec.parsing.wellknown import text_form
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.shape import FieldPathError, Kind, NoFieldError, Shapes

PathBinder = Callable[[Sequence[str]], bytes]
"""Captured values in the order of the template -> wire."""

QueryBinder = Callable[[str], tuple[bytes, Set[int]]]
"""Raw query -> wire, and the numbers of the request's own fields that it sets or leads into."""

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_STEPS: Final = 32
_TARGETS_KEPT: Final = 256
_NOTHING: Final[tuple[bytes, Set[int]]] = (b"", frozenset())


class BindingError(ValueError):
    """A rule that does not fit its request message: names the part of the rule."""


def nested(parents: FieldPath, encode: Encoder) -> Encoder:
    """The encoder of a field, wrapped into the messages that lead to it from the request."""
    for parent in reversed(parents):
        if parent.kind is Kind.GROUP:
            encode = fields.group(parent.number, encode)
        else:
            encode = fields.message(wire.tag(parent.number, wire.LENGTH), encode)
    return encode


def compile_path(shapes: Shapes, message: str, path_fields: Sequence[str | None]) -> PathBinder:
    """The binder of a template's variables; None stands for one that binds no field. Raises BindingError."""
    bound: list[tuple[int, str, Encoder]] = []
    taken: set[Numbers] = set()
    chosen: Chosen = {}
    for index, spelled in enumerate(path_fields):
        if spelled is None:
            continue
        try:
            path = shapes.field_path(message, spelled)
            encode = _text_encoder(shapes, path)
            choose(chosen, choices_of(path))
        except (FieldPathError, Invalid) as error:
            raise BindingError(f"path variable `{spelled}`: {error}") from error
        if path[-1].is_repeated:
            raise BindingError(f"path variable `{spelled}`: `{path[-1].name}` is repeated")
        if numbers_of(path) in taken:
            raise BindingError(f"path variable `{spelled}`: bound twice")
        taken.add(numbers_of(path))
        bound.append((index, spelled, encode))
    return _path_binder(bound)


def _path_binder(bound: Sequence[tuple[int, str, Encoder]]) -> PathBinder:
    def bind(values: Sequence[str]) -> bytes:
        out = b""
        for index, spelled, encode in bound:
            try:
                out += encode(values[index])
            except Invalid as error:
                raise _refused(f"{error.problem} in path: {spelled}") from error
        return out

    return bind


def _text_encoder(shapes: Shapes, path: FieldPath) -> Encoder:
    """Text -> the request with only the field at the path; raises Invalid if that has no string form."""
    leaf = path[-1]
    tag = kind_tag(leaf.number, leaf.kind)
    if leaf.is_map:
        raise Invalid("a map has no string form")
    if not leaf.is_message:
        return nested(path[:-1], fields.single(tag, text_scalar(shapes, leaf)))
    form = text_form(leaf.type_name or "")
    if form is None or leaf.kind is Kind.GROUP:
        raise Invalid(f"{leaf.type_name} has no string form")
    return nested(path[:-1], fields.message(tag, form))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Where a query key leads. once: the path, of a field that takes one value."""

    top: int
    encode: Encoder
    once: Numbers | None
    choices: tuple[Choice, ...]


def compile_query(
    shapes: Shapes, message: str, unknown: Unknown, *, path: Sequence[FieldPath], body: FieldPath | None
) -> QueryBinder:
    """The binder of a query string.

    path, body: the fields that path variables and the body bind; keys at or under them are not heard.
    """
    bound = [numbers_of(one) for one in (*path, *([body] if body else ()))]
    chosen = dict(choice for one in path for choice in choices_of(one))

    @lru_cache(maxsize=_TARGETS_KEPT)
    def target_of(key: str) -> _Target | None:
        return _target(shapes, message, bound, key)

    def bind(query: str) -> tuple[bytes, Set[int]]:
        if not query:
            return _NOTHING
        state = _QueryState(chosen)
        for key, _, value in _parts(query):
            try:
                target = target_of(key)
                if target is not None:
                    state.add(target, value)
            except NoFieldError as error:
                if unknown == "reject":
                    raise _refused(f"{shown(str(error))} in query: {shown(key)}") from error
            except (FieldPathError, Invalid) as error:
                raise _refused(f"{shown(str(error))} in query: {shown(key)}") from error
        return b"".join(state.parts), state.tops

    return bind


class _QueryState:
    """What one query has set so far."""

    __slots__ = ("_chosen", "_once", "parts", "tops")

    def __init__(self, chosen: Chosen) -> None:
        self.parts: list[bytes] = []
        self.tops: set[int] = set()
        self._once: set[Numbers] = set()
        self._chosen = chosen.copy()

    def add(self, target: _Target, value: str) -> None:
        if target.once is not None:
            if target.once in self._once:
                raise Invalid("more than one value")
            self._once.add(target.once)
        choose(self._chosen, target.choices)
        self.tops.add(target.top)
        self.parts.append(target.encode(value))


def _target(shapes: Shapes, message: str, bound: Sequence[Numbers], key: str) -> _Target | None:
    if key.count(".") >= _MAX_STEPS:
        raise Invalid("nested too deeply")
    path = shapes.field_path(message, key)
    numbers = numbers_of(path)
    if any(numbers[: len(prefix)] == prefix for prefix in bound):
        return None
    return _Target(
        top=numbers[0],
        encode=_text_encoder(shapes, path),
        once=None if path[-1].is_repeated else numbers,
        choices=choices_of(path),
    )


def _parts(query: str) -> list[tuple[str, str, str]]:
    """(key, what is between, value) of each part that is not empty."""
    parts = [part.partition("=") for part in query.split("&") if part]
    if "%" not in query and "+" not in query:
        return parts
    try:
        return [(_decoded(key), equals, _decoded(value)) for key, equals, value in parts]
    except UnicodeError as error:
        raise _refused("query is not UTF-8") from error


def _decoded(text: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    if _BAD_ESCAPE.search(text):
        raise _refused("malformed percent-escape in query")
    return unquote_to_bytes(text).decode()


def _refused(problem: str) -> TranscodeError:
    return TranscodeError(INVALID_ARGUMENT, problem)
