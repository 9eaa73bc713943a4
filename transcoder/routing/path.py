"""A request path as the route table reads it: split raw, then decoded, with and without a verb."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.routing.percent import decode, decode_all_but_slash
from transcoder.routing.template import Variable


class Reading(NamedTuple):
    """One way to read a path.

    verb: decoded, "" for none; raw: the segments before it, as sent; decoded: the same, percent-decoded.
    """

    verb: str
    raw: Sequence[str]
    decoded: Sequence[str]

    def capture(self, variables: Sequence[Variable]) -> tuple[str, ...]:
        """The value of each variable: decoded, but a multi-segment one keeps every `%2F` as sent."""
        return tuple([self._span(one) if one.is_multi else self.decoded[one.start] for one in variables])

    def _span(self, variable: Variable) -> str:
        span = self.raw[variable.start : variable.end]
        return "/".join(span if self.raw is self.decoded else map(decode_all_but_slash, span))


def read_path(path: str, verbs: Set[str], verb_colons: int) -> list[Reading]:
    """Every reading of a raw path, which starts with `/`: longest verb first, none last.

    verbs: the verbs to look for, decoded; verb_colons: how many of the last raw colons can begin one of them.

    Raises TranscodeError INVALID_ARGUMENT for a malformed escape or non-UTF-8 anywhere in the path, whether
    or not a route looks there: so the answer does not depend on which routes exist.
    """
    raw = path[1:].split("/") if path != "/" else []
    decoded = raw if "%" not in path and path.isascii() else _decode_segments(raw)
    plain = Reading("", raw, decoded)
    if verb_colons and raw and ":" in raw[-1]:
        return [*_readings_with_verb(plain, verbs, verb_colons), plain]
    return [plain]


def _readings_with_verb(plain: Reading, verbs: Set[str], verb_colons: int) -> list[Reading]:
    readings = []
    pieces = plain.raw[-1].rsplit(":", verb_colons)
    for at in range(1, len(pieces)):
        verb = decode(":".join(pieces[at:]))
        if verb in verbs:
            readings.append(_with_verb(plain, verb, ":".join(pieces[:at])))
    return readings


def _with_verb(plain: Reading, verb: str, last: str) -> Reading:
    raw = [*plain.raw[:-1], last]
    decoded = raw if plain.raw is plain.decoded else [*plain.decoded[:-1], decode(last)]
    return Reading(verb, raw, decoded)


def _decode_segments(raw: Sequence[str]) -> list[str]:
    decoded = []
    for number, segment in enumerate(raw, 1):
        try:
            decoded.append(decode(segment))
        except ValueError as error:
            raise TranscodeError(INVALID_ARGUMENT, f"path segment {number} {error}") from None
    return decoded
