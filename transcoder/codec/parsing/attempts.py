"""JSON text to wire bytes: by the fast encoders, or by the strict ones where those give up.

The fast ones do most of their work in a few long calls into C. A text of so many values that one of these
would hold the interpreter for long is left to the strict ones, which do nothing for long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from transcoder.codec.options import JsonOptions
from transcoder.codec.parsing.fast import FastEncoders
from transcoder.codec.parsing.fields import Encoder
from transcoder.codec.parsing.invalid import Invalid
from transcoder.codec.parsing.message import MessageEncoders
from transcoder.codec.parsing.pieces import PIECE
from transcoder.codec.parsing.text import is_dense, parse_json, read_json
from transcoder.codec.values import take_apart
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.shape import FieldShape, Shapes

T = TypeVar("T")


class Encoders(Protocol):
    """The encoders of parsed JSON."""

    def message(self, full_name: str, /) -> Encoder:
        """The encoder of a message: no tag, no length."""

    def field(self, owner: str, field: FieldShape, /) -> Encoder:
        """The encoder of a field of a message: tags included."""


class TextEncoders:
    """The encoders of JSON text for one schema."""

    def __init__(self, shapes: Shapes, options: JsonOptions) -> None:
        self._strict = MessageEncoders(shapes, options)
        self._fast = [
            FastEncoders(shapes, self._strict, options, spell)
            for spell in (attrgetter("json_name"), attrgetter("name"))
        ]

    def forget(self) -> None:
        """Let go of what was compiled and refers to itself; what is used again is compiled again."""
        self._strict.forget()
        for encoders in self._fast:
            encoders.forget()

    def compile(self, build: Callable[[Encoders], Callable[[Any], T]]) -> Callable[[bytes], T]:
        """JSON text -> what the function that `build` makes over encoders has for its value.

        The function may be called again for the same text, by other encoders; it must look at a value before
        it gives it to one. Raises TranscodeError(INVALID_ARGUMENT), which says what is wrong and where.
        """
        return _by_attempts([build(encoders) for encoders in self._fast], build(self._strict))


def _by_attempts(fast: Sequence[Callable[[Any], T]], strict: Callable[[Any], T]) -> Callable[[bytes], T]:
    attempts = list(fast)

    def encode(text: bytes) -> T:
        for number, attempt in enumerate(() if is_dense(text) else attempts):
            try:
                encoded = attempt(read_json(text))
            except Exception:  # noqa: S112 - whatever it was, the strict encoders say it properly
                continue
            if number:
                attempts.reverse()  # the next client is likely to spell as this one does
            return encoded
        return _strictly(strict, text)

    return encode


def _strictly(encode: Callable[[Any], T], text: bytes) -> T:
    value = parse_json(text)
    try:
        return encode(value)
    except Invalid as error:
        raise TranscodeError(INVALID_ARGUMENT, error.in_json()) from error
    finally:
        if len(text) > PIECE:
            take_apart(value)
