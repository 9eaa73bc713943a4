"""Path templates of google/api/http.proto ("Path template syntax").

    Template  = "/" [ Segments [ Verb ] ] ;
    Segments  = Segment { "/" Segment } ;
    Segment   = "*" | "**" | LITERAL | Variable ;       `**` only as the last segment of the template
    Variable  = "{" FieldPath [ "=" Segments ] "}" ;    no variable and no `:` in it; `{v}` is `{v=*}`
    FieldPath = IDENT { "." IDENT } ;
    Verb      = ":" LITERAL ;
    LITERAL   = PCHAR { PCHAR | ":" } ;                 pchar of RFC 3986 (escapes included) but `*` and `:`

A `:` in the last segment begins the verb: the last one after a literal, the first one after `*`, `**` or `}`.
A colon that belongs to such a literal is written `%3A`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final
from urllib.parse import quote

from transcoder.routing.percent import decode

_PCHAR: Final = r"(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})"
_LITERAL: Final = re.compile(rf"{_PCHAR}(?:{_PCHAR}|:)*")
_SEGMENT: Final = re.compile(rf"\*\*|\*|{_LITERAL.pattern}")
_SEGMENT_OF_VARIABLE: Final = re.compile(rf"\*\*|\*|{_PCHAR}+")
_FIELD_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


class TemplateError(ValueError):
    """A text that is no path template: the message says what is wrong at which character, counted from 1."""


class Wildcard(Enum):
    """A segment that is not a literal: exactly one segment that is not empty, or all that are left."""

    ONE = "*"
    REST = "**"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a template captures.

    field_path: dotted, as written; start, end: the segments it spans, end None if `**` is the last of them;
    is_multi: can span several segments, so that its value keeps `%2F`.
    """

    field_path: str
    start: int
    end: int | None
    is_multi: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed path template.

    segments: wildcards and decoded literals; verb: decoded, "" if none; shape: the template without variables
    and with one spelling of each literal: equal for two templates that match the same paths.
    """

    text: str
    segments: tuple[str | Wildcard, ...]
    variables: tuple[Variable, ...]
    verb: str
    shape: str


def parse_template(text: str) -> Template:
    """A path template from its text. Raises TemplateError."""
    return _Parser(text).template()


class _Parser:
    """Recursive descent over the grammar above."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._end = _verb_start(text)
        self._segments: list[str | Wildcard] = []
        self._variables: dict[str, Variable] = {}

    def template(self) -> Template:
        self._expect("/")
        if self._text != "/":
            self._read_segments(self._read_segment_or_variable)
        verb = self._read_verb()
        return Template(
            text=self._text,
            segments=tuple(self._segments),
            variables=tuple(self._variables.values()),
            verb=verb,
            shape=_shape(self._segments, verb),
        )

    def _read_segments(self, read_one: Callable[[], None]) -> None:
        read_one()
        while self._accept("/"):
            read_one()

    def _read_segment_or_variable(self) -> None:
        if self._accept("{"):
            self._read_variable()
        else:
            self._read_segment(_SEGMENT)

    def _read_segment(self, pattern: re.Pattern[str]) -> None:
        at = self._position
        token = self._take(pattern, "a segment")
        self._append(Wildcard(token) if token.startswith("*") else self._decode(token, at), at)

    def _read_variable(self) -> None:
        at, start = self._position, len(self._segments)
        field_path = self._take(_FIELD_PATH, "a field path")
        if field_path in self._variables:
            raise self._error(f"variable {field_path!r} is bound twice", at)
        if self._accept("="):
            self._read_segments(partial(self._read_segment, _SEGMENT_OF_VARIABLE))
        else:
            self._append(Wildcard.ONE, at)
        self._expect("}")
        self._variables[field_path] = self._variable(field_path, start)

    def _variable(self, field_path: str, start: int) -> Variable:
        is_open = self._segments[-1] is Wildcard.REST
        size = len(self._segments) - start
        return Variable(
            field_path=field_path,
            start=start,
            end=None if is_open else start + size,
            is_multi=is_open or size > 1,
        )

    def _read_verb(self) -> str:
        self._end = len(self._text)
        if self._position == self._end:
            return ""
        if not self._accept(":"):
            raise self._unexpected("'/', ':' or the end")
        at = self._position
        verb = self._decode(self._take(_LITERAL, "a verb"), at)
        if self._position < self._end:
            raise self._unexpected("the end")
        return verb

    def _append(self, segment: str | Wildcard, at: int) -> None:
        if self._segments and self._segments[-1] is Wildcard.REST:
            raise self._error("nothing can follow `**`", at)
        self._segments.append(segment)

    def _accept(self, symbol: str) -> bool:
        found = self._text.startswith(symbol, self._position)
        self._position += found
        return found

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise self._unexpected(repr(symbol))

    def _take(self, token: re.Pattern[str], what: str) -> str:
        found = token.match(self._text, self._position, self._end)
        if found is None:
            raise self._unexpected(what)
        self._position = found.end()
        return found.group()

    def _decode(self, literal: str, at: int) -> str:
        try:
            return decode(literal)
        except ValueError as error:
            raise self._error(f"{literal!r} {error}", at) from None

    def _unexpected(self, wanted: str) -> TemplateError:
        found = self._text[self._position : self._position + 1]
        return self._error(f"expected {wanted}, found {repr(found) if found else 'the end'}", self._position)

    def _error(self, problem: str, at: int) -> TemplateError:
        return TemplateError(f"path template {self._text!r}: {problem} at character {at + 1}")


def _verb_start(text: str) -> int:
    """Where a literal has to stop: at the last colon of the last segment, if any, which begins its verb."""
    colon = text.rfind(":", max(text.rfind("/"), text.rfind("}")) + 1)
    return len(text) if colon == -1 else colon


def _shape(segments: list[str | Wildcard], verb: str) -> str:
    path = "/".join(part.value if isinstance(part, Wildcard) else quote(part, safe="") for part in segments)
    return f"/{path}:{quote(verb, safe='')}" if verb else f"/{path}"
