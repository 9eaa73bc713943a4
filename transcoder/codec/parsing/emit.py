"""The lines of Python that prepare one field of a JSON object `d`: see `keywords`.

They read and write the names `d`, `get` (of `d`), `x` (the value of the field), `n`, `y` and `z`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from transcoder.schema.shape import Kind

INDENT: Final = "    "


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done with one value, in expressions over it.

    refuse: true for a value that must not be there. convert: what takes its place, if it is one of those that
    `when` is true for. visit: a call that prepares it.
    """

    refuse: str = ""
    when: str = ""
    convert: str = ""
    visit: str = ""


NOTHING: Final = Work()
OF_NULL_VALUE: Final = Work(convert="0 if {0} is None else {0}")

_WHOLE: Final = Work(when="type({0}) is str", convert="z if str(z := int({0})) == {0} else whole({0})")
OF_KIND: Final[Mapping[Kind, Work]] = {
    Kind.BOOL: Work(refuse="type({0}) is not bool"),
    Kind.BYTES: Work(convert="octets({0})"),
    Kind.DOUBLE: Work(refuse="type({0}) is bool"),
    Kind.FLOAT: Work(refuse="type({0}) is bool or not -LARGEST <= {0} <= LARGEST"),
    Kind.FIXED64: _WHOLE,
    Kind.INT64: _WHOLE,
    Kind.SFIXED64: _WHOLE,
    Kind.SINT64: _WHOLE,
    Kind.UINT64: _WHOLE,
}
_KEYS: Final[Mapping[Kind, str]] = {Kind.STRING: "n", Kind.BOOL: "FLAGS[n]"}
_NUMBER: Final = "whole(n)"


def single(key: str, work: Work) -> Iterator[str]:
    """A field with one value. key: the slot of its name."""
    if work is NOTHING:
        return
    yield f"x = get({key})"
    yield f"if {(work.when or '{0} is not None').format('x')}:"
    if work.convert:
        yield f"{INDENT}d[{key}] = {work.convert.format('x')}"
    else:
        yield from _indented(_look_at("x", work))


def single_or_null(key: str, work: Work) -> Iterator[str]:
    """A field that null is a value of."""
    yield f"if {key} in d:"
    yield f"{INDENT}x = d[{key}]"
    yield f"{INDENT}d[{key}] = {work.convert.format('x')}"


def repeated(key: str, work: Work) -> Iterator[str]:
    """A list."""
    yield f"x = get({key})"
    yield "if x is not None:"
    yield f"{INDENT}if type(x) is not list:"
    yield f"{INDENT * 2}raise Unlikely"
    if work.convert:
        yield f"{INDENT}d[{key}] = [{_converted(work)} for y in x]"
    elif work is not NOTHING:
        yield f"{INDENT}for y in x:"
        yield from _indented(_indented(_look_at("y", work)))


def mapping(key: str, key_kind: Kind, work: Work) -> Iterator[str]:
    """A map, whose keys are strings in JSON; two spellings of one are refused."""
    yield f"x = get({key})"
    yield "if x is not None:"
    yield f"{INDENT}if type(x) is not dict:"
    yield f"{INDENT * 2}raise Unlikely"
    if work.convert or key_kind is not Kind.STRING:
        yield f"{INDENT}z = {{{_KEYS.get(key_kind, _NUMBER)}: {_converted(work)} for n, y in x.items()}}"
        yield f"{INDENT}if len(z) != len(x):"
        yield f"{INDENT * 2}raise Unlikely"
        yield f"{INDENT}d[{key}] = z"
    if work.refuse or work.visit:
        yield f"{INDENT}for y in x.values():"
        yield from _indented(_indented(_look_at("y", work)))


def one_of(keys: str) -> Iterator[str]:
    """Refuse two members of a oneof, even if one is null. keys: the slot of the set of them."""
    yield f"if len({keys} & d.keys()) > 1:"
    yield f"{INDENT}raise Unlikely"


def without_unknown(is_known: str, drop: str) -> Iterator[str]:
    """Drop what the schema has no field for."""
    yield f"if not {is_known}(d):"
    yield f"{INDENT}{drop}(d)"


def _look_at(name: str, work: Work) -> Iterator[str]:
    if work.visit:
        yield work.visit.format(name)
    else:
        yield f"if {work.refuse.format(name)}:"
        yield f"{INDENT}raise Unlikely"


def _converted(work: Work) -> str:
    convert = work.convert.format("y") or "y"
    return f"({convert}) if {work.when.format('y')} else y" if work.when else convert


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"{INDENT}{line}" for line in lines)
