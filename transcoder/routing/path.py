"""A request path as the route table reads it: split raw, then decoded, with and without a verb."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import TypeAlias

from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.routing.percent import decode, decode_all_but_slash
from transcoder.routing.template import Variable

Reading: TypeAlias = tuple[str, Sequence[str], Sequence[str]]
"""One way to read a path: (verb, raw, decoded).

verb: decoded, "" for none; raw: the segments before it, as sent; decoded: the same, percent-decoded.
"""


Capture: TypeAlias = Callable[[Sequence[str], Sequence[str]], tuple[str, ...]]
"""(raw, decoded) -> the value of each variable of a template."""


def compile_capture(variables: Sequence[Variable]) -> Capture:
    """Values are decoded, but a multi-segment one keeps every `%2F` as sent."""
    if any(one.is_multi for one in variables):
        return lambda raw, decoded: tuple([_value(one, raw, decoded) for one in variables])
    if len(variables) == 1:
        at = variables[0].start
        return lambda _, decoded: (decoded[at],)
    return lambda _, decoded: tuple([decoded[one.start] for one in variables])


def _value(variable: Variable, raw: Sequence[str], decoded: Sequence[str]) -> str:
    if not variable.is_multi:
        return decoded[variable.start]
    span = raw[variable.start : variable.end]
    return "/".join(span if raw is decoded else map(decode_all_but_slash, span))


def read_path(path: str, verbs: Container[str], verb_colons: int) -> list[Reading]:
    """Every reading of a raw path, which starts with `/`: longest verb first, none last.

    verbs: those to look for, decoded, "" for none; verb_colons: how many of the last raw colons begin one.

    Raises TranscodeError INVALID_ARGUMENT for a malformed escape or non-UTF-8 anywhere in the path, whether
    or not a route looks there: so the answer does not depend on which routes exist.
    """
    raw = path[1:].split("/") if path != "/" else []
    decoded = raw if "%" not in path and path.isascii() else _decode_segments(raw)
    if verb_colons and raw and ":" in raw[-1]:
        return [*_readings_with_verb(raw, decoded, verbs, verb_colons), ("", raw, decoded)]
    return [("", raw, decoded)]


def _readings_with_verb(
    raw: Sequence[str], decoded: Sequence[str], verbs: Container[str], verb_colons: int
) -> Iterator[Reading]:
    pieces = raw[-1].rsplit(":", verb_colons)
    for at in range(1, len(pieces)):
        verb = decode(":".join(pieces[at:]))
        if verb and verb in verbs:
            last = ":".join(pieces[:at])
            before = [*raw[:-1], last]
            yield verb, before, before if raw is decoded else [*decoded[:-1], decode(last)]


def _decode_segments(raw: Sequence[str]) -> list[str]:
    decoded = []
    for number, segment in enumerate(raw, 1):
        try:
            decoded.append(decode(segment))
        except ValueError as error:
            raise TranscodeError(INVALID_ARGUMENT, f"path segment {number} {error}") from None
    return decoded
