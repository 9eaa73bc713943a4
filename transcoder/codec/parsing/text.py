"""Strict JSON text (RFC 8259) to Python values.

Stricter than the parser of the standard library in all that lets two readers of one document disagree:
encoding, duplicate keys, NaN, lone surrogates; and bounded in depth and in the size of numbers.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from decimal import Decimal
from typing import Any, Final, NoReturn

import orjson

from transcoder.codec.parsing.invalid import shown
from transcoder.codec.parsing.pieces import (
    ELSEWHERE,
    PIECE,
    MalformedError,
    decode_in_pieces,
    without_strings,
)
from transcoder.errors import INVALID_ARGUMENT, TranscodeError

MAX_DEPTH: Final = 100

_LONGEST_UNSEEN: Final = 256 * 1024
_MOST_HEAVY: Final = 64 * 1024
_MOST_LIGHT: Final = 512 * 1024
_EXACT: Final = 2**53
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TO_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def read_json(body: bytes) -> Any:
    """The value of a JSON document by a parser that is many times faster, or ValueError.

    Refuses all that `parse_json` does, and a little more. Whole numbers of more than 64 bits, and floats that
    may have lost digits, are floats here.
    """
    value = orjson.loads(body)
    _check_depth(body)
    if not _has_every_key(body, value):
        raise MalformedError("a key may be there twice")
    return value


def is_dense(body: bytes) -> bool:
    """Whether there is so much in a document that it should not be read in one call.

    An object, a list or a key takes up to 1 us, as an entry of a map; other values up to 60 ns.
    """
    if len(body) <= _LONGEST_UNSEEN:
        return False
    heavy = sum(body.count(mark) for mark in (b"{", b"[", b":"))
    return heavy > _MOST_HEAVY or body.count(b",") > _MOST_LIGHT


def parse_json(body: bytes) -> Any:
    """The value of a JSON document, or TranscodeError(INVALID_ARGUMENT).

    Floats that may have lost digits come as int when they are whole, so that 64-bit integers stay exact in
    every spelling.
    """
    try:
        is_long = len(body) > PIECE
        value = decode_in_pieces(body, _decode, MAX_DEPTH) if is_long else _decode(body.decode())
        _check_depth(body)
    except UnicodeDecodeError as error:
        raise _refused("not UTF-8") from error
    except UnicodeEncodeError as error:
        raise _refused("lone surrogate in a string") from error
    except json.JSONDecodeError as error:
        raise _refused(f"line {error.lineno} column {error.colno}") from error
    except MalformedError as error:
        raise _refused(str(error)) from error
    except RecursionError as error:
        raise _refused(_TOO_DEEP) from error
    except ValueError as error:
        raise _refused(_TOO_LARGE) from error
    return value


_TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH}"
_TOO_LARGE: Final = "number out of range"


def _refused(problem: str) -> TranscodeError:
    return TranscodeError(INVALID_ARGUMENT, f"malformed JSON: {problem}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise MalformedError(f"duplicate key `{shown(twice)}`")
    return value


def _float(text: str) -> float | int:
    value = float(text)
    if -_EXACT < value < _EXACT:
        return value
    if math.isinf(value):
        raise MalformedError(_TOO_LARGE)
    exact = Decimal(text)
    whole = int(exact)
    return whole if whole == exact else value


def _constant(name: str) -> NoReturn:
    raise MalformedError(f"`{name}` is not a JSON value")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)


def _check_depth(body: bytes) -> None:
    """Peel innermost pairs of brackets off until none is left; strings are looked into only if that fails."""
    if len(body) <= 2 * MAX_DEPTH:
        return
    if not _is_shallow(body) and not _is_shallow(without_strings(body)):
        raise MalformedError(_TOO_DEEP)


def _is_shallow(body: bytes) -> bool:
    brackets = body.translate(_TO_BRACES, _NO_BRACKETS)
    if len(brackets) <= 2 * MAX_DEPTH:
        return True
    for _ in range(MAX_DEPTH):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"")
    return not brackets


def _has_every_key(body: bytes, value: Any) -> bool:
    """Whether no key has hidden another one.

    If the text is not what the value is written as, colons tell: outside of strings there is one for each
    key, in strings they stay, unless they come from an escape. Those that are missing went with a key.
    """
    written = orjson.dumps(value)
    if written == body:
        return True
    if b"\\" in body and (b"\\u003a" in body or b"\\u003A" in body):
        return False
    return written.count(b":") == body.count(b":")


def _decode(text: str) -> Any:
    value = _DECODER.decode(text)
    if _SURROGATE_ESCAPE.search(text):
        written = json.dumps(value, ensure_ascii=False)
        written.replace(ELSEWHERE, "", text.count(ELSEWHERE)).encode()
    return value
