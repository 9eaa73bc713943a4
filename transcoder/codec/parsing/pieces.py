"""Long JSON documents, decoded piece by piece: no call into C holds the interpreter for long.

A piece ends at a comma outside of strings. What is open there is closed behind the piece, and opened again
before the next one, so that each is a document of its own; its value is then put to what was open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from transcoder.codec.parsing.invalid import shown

PIECE: Final = 64 * 1024
"""Bytes of the shortest piece."""

ELSEWHERE: Final = "\udfff"
"""Stands for the key under which an object goes on; no UTF-8 has it, and as an escape it is no character."""

_BEGIN: Final[Mapping[type, str]] = {list: "[", dict: "{"}
_END: Final[Mapping[type, str]] = {list: "]", dict: "}"}
_WITHIN: Final[Mapping[type, str]] = {list: "[", dict: f'{{"{ELSEWHERE}":'}
_COUNTERPARTS: Final = str.maketrans("[{", "]}")
_SPACE: Final = b" \t\r\n"
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ENDS_THEN_BEGINNINGS: Final = re.compile(rb"([\]}]*)([\[{]*)")


class MalformedError(ValueError):
    """What is wrong with a document, where the standard library does not say it."""


Decode = Callable[[str], Any]
"""The text of a document -> its value; raises ValueError, json.JSONDecodeError with a place in the text."""


def decode_in_pieces(body: bytes, decode: Decode, max_depth: int) -> Any:
    """What `decode` makes of a whole document. Raises as it does, and MalformedError.

    max_depth: how deep the values of one piece, and what is open between pieces, may be nested.
    """
    reader, start = _Reader(decode, max_depth), 0
    for end in _ends(body):
        try:
            reader.feed(body[start:end], is_last=end == len(body))
        except json.JSONDecodeError as error:
            place = len(body[:start].decode()) + error.pos
            raise json.JSONDecodeError(error.msg, body.decode(), place) from error
        start = end + 1
    return reader.value


def without_strings(body: bytes) -> bytes:
    """What stands outside of strings in a sound document; without escapes, every other quote ends one.

    In steps: a single one over megabytes, such as a regular expression, would hold the interpreter too long.
    """
    return b"".join(_without_escapes(body).split(b'"')[::2])


def _without_escapes(body: bytes) -> bytes:
    return body.replace(rb"\\", b"").replace(rb"\"", b"")


def _ends(body: bytes) -> Iterator[int]:
    """Where the pieces end: at commas outside of strings, the last one with the body."""
    end = -1
    while end < len(body):
        end = _end(body, end + 1)
        yield end


def _end(body: bytes, start: int) -> int:
    quotes, seen, search = 0, start, start + PIECE
    while (comma := body.find(b",", search)) >= 0:
        quotes += _without_escapes(body[seen:comma]).count(b'"')
        if quotes % 2 == 0:
            return comma
        seen, search = comma, body.find(b'"', comma) + 1
        if search == 0:
            break
    return len(body)


class _Reader:
    """value: of the pieces so far."""

    def __init__(self, decode: Decode, max_depth: int) -> None:
        self.value: Any = None
        self._decode = decode
        self._max_depth = max_depth
        self._open: list[Any] = []
        self._is_first = True

    def feed(self, piece: bytes, *, is_last: bool) -> None:
        """Take what stands between two commas. Places in errors are of the piece."""
        ends, begun = self._brackets(piece)
        kept = self._open[: max(len(self._open) - ends, 0)]
        self._check_edges(piece, is_last=is_last, is_open=bool(kept or begun))
        before = self._before()
        after = "" if is_last else self._after(kept, begun)
        try:
            value = self._decode(before + piece.decode() + after)
        except json.JSONDecodeError as error:
            place = min(max(error.pos - len(before), 0), len(piece.decode()))
            raise json.JSONDecodeError(error.msg, piece.decode(), place) from error
        self._put(value)
        self._open = kept
        for _ in begun:
            self._open.append(_last(self._open[-1]) if self._open else self.value)

    def _brackets(self, piece: bytes) -> tuple[int, bytes]:
        """How many containers end that were open before, and the brackets of those that stay open."""
        brackets = without_strings(piece).translate(None, _NO_BRACKETS)
        for _ in range(self._max_depth + 1):
            if found := _ENDS_THEN_BEGINNINGS.fullmatch(brackets):
                break
            brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not found or len(self._open) - len(found[1]) + len(found[2]) > self._max_depth:
            raise MalformedError(f"nested deeper than {self._max_depth}")
        return len(found[1]), found[2]

    def _check_edges(self, piece: bytes, *, is_last: bool, is_open: bool) -> None:
        """Refuse what is wrong with a comma that the piece is decoded without."""
        bare = piece.strip(_SPACE)
        if not self._is_first and bare[:1] in b"]}":
            raise _unexpected("Expecting value", piece, len(piece) - len(piece.lstrip(_SPACE)))
        if not is_last and (not is_open or bare[-1:] in b"[{"):
            raise _unexpected("Expecting value" if is_open else "Extra data", piece, len(piece))
        self._is_first = False

    def _before(self) -> str:
        """What opens again what is open."""
        outer = "".join(_WITHIN[type(one)] for one in self._open[:-1])
        return outer + "".join(_BEGIN[type(one)] for one in self._open[-1:])

    def _after(self, kept: list[Any], begun: bytes) -> str:
        """What closes all that is open behind a piece."""
        ends = "".join(_END[type(one)] for one in kept)
        return (ends + begun.decode().translate(_COUNTERPARTS))[::-1]

    def _put(self, value: Any) -> None:
        """Add the value of a piece to what was open before it."""
        if not self._open:
            self.value = value
            return
        for container in self._open[:-1]:
            inner = value.pop(0) if type(container) is list else value.pop(ELSEWHERE)
            _extend(container, value)
            value = inner
        _extend(self._open[-1], value)


def _extend(container: Any, value: Any) -> None:
    if type(container) is list:
        container.extend(value)
        return
    for key in container.keys() & value.keys():
        raise MalformedError(f"duplicate key `{shown(key)}`")
    container.update(value)


def _last(container: Any) -> Any:
    return container[-1] if type(container) is list else next(reversed(container.values()))


def _unexpected(problem: str, piece: bytes, place: int) -> json.JSONDecodeError:
    text = piece[:place].decode()
    return json.JSONDecodeError(problem, text, len(text))
