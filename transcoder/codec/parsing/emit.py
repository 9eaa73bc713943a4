"""The lines of Python that prepare one field of a JSON object: see `keywords`.

Their names: `d` is the object, `x` the value of the field, `y` one of several, `n` the key of that in a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from transcoder.schema.shape import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done with one value, in expressions over it.

    refuse: true for a value that must not be there. convert: what takes its place, if it is one of those that
    `when` is true for. visit: the slot of the function that prepares objects like it.
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
    when = work.when or "{0} is not None"
    yield f"if {key} in d:"
    yield f"    x = d[{key}]"
    if work.refuse:
        yield f"    if {when.format('x')} and ({work.refuse.format('x')}):"
        yield "        raise Unlikely"
    else:
        yield f"    if {when.format('x')}:"
        yield (
            f"        d[{key}] = {work.convert.format('x')}"
            if work.convert
            else f"        {work.visit}((x,))"
        )


def single_or_null(key: str, work: Work) -> Iterator[str]:
    """A field that null is a value of."""
    yield f"if {key} in d:"
    yield f"    x = d[{key}]"
    yield f"    d[{key}] = {work.convert.format('x')}"


def repeated(key: str, work: Work) -> Iterator[str]:
    """A list."""
    yield f"if {key} in d:"
    yield f"    x = d[{key}]"
    yield "    if x is not None:"
    yield "        if type(x) is not list:"
    yield "            raise Unlikely"
    if work.convert:
        yield f"        d[{key}] = [{_converted(work)} for y in x]"
    yield from _look_at("x", work)


def mapping(key: str, key_kind: Kind, work: Work) -> Iterator[str]:
    """A map, whose keys are strings in JSON; two spellings of one are refused."""
    yield f"if {key} in d:"
    yield f"    x = d[{key}]"
    yield "    if x is not None:"
    yield "        if type(x) is not dict:"
    yield "            raise Unlikely"
    if work.convert or key_kind is not Kind.STRING:
        name = _KEYS.get(key_kind, _NUMBER)
        yield f"        d[{key}] = {{{name}: {_converted(work)} for n, y in x.items()}}"
        yield f"        if len(d[{key}]) != len(x):"
        yield "            raise Unlikely"
    yield from _look_at("x.values()", work)


def one_of(keys: str) -> Iterator[str]:
    """Refuse two members of a oneof, even if one is null. keys: the slot of the set of them."""
    yield f"if len({keys} & d.keys()) > 1:"
    yield "    raise Unlikely"


def without_unknown(is_known: str, drop: str) -> Iterator[str]:
    """Drop what the schema has no field for. Both are slots of functions."""
    yield f"if not {is_known}(d):"
    yield f"    {drop}(d)"


def _look_at(values: str, work: Work) -> Iterator[str]:
    if work.visit:
        yield f"        {work.visit}({values})"
    if work.refuse:
        yield f"        for y in {values}:"
        yield f"            if {work.refuse.format('y')}:"
        yield "                raise Unlikely"


def _converted(work: Work) -> str:
    convert = work.convert.format("y") or "y"
    return f"({convert}) if {work.when.format('y')} else y" if work.when else convert
