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
from transcoder.errors import INVALID_ARGUMENT, TranscodeError

MAX_DEPTH: Final = 100

_EXACT: Final = 2**53
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TO_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


class _MalformedError(ValueError):
    """A refusal of one of the parser's hooks."""


def read_json(body: bytes) -> Any:
    """The value of a JSON document by a parser that is many times faster, or ValueError.

    Refuses all that `parse_json` does, and a little more. Whole numbers of more than 64 bits, and floats that
    may have lost digits, are floats here.
    """
    value = orjson.loads(body)
    _check_depth(body)
    if not _has_every_key(body, value):
        raise _MalformedError("a key may be there twice")
    return value


def parse_json(body: bytes) -> Any:
    """The value of a JSON document, or TranscodeError(INVALID_ARGUMENT).

    Floats that may have lost digits come as int when they are whole, so that 64-bit integers stay exact in
    every spelling.
    """
    try:
        text = body.decode()
        value = _DECODER.decode(text)
        _check_depth(body)
        _check_surrogates(text, value)
    except UnicodeDecodeError as error:
        raise _refused("not UTF-8") from error
    except UnicodeEncodeError as error:
        raise _refused("lone surrogate in a string") from error
    except json.JSONDecodeError as error:
        raise _refused(f"line {error.lineno} column {error.colno}") from error
    except _MalformedError as error:
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
        raise _MalformedError(f"duplicate key `{shown(twice)}`")
    return value


def _float(text: str) -> float | int:
    value = float(text)
    if -_EXACT < value < _EXACT:
        return value
    if math.isinf(value):
        raise _MalformedError(_TOO_LARGE)
    exact = Decimal(text)
    whole = int(exact)
    return whole if whole == exact else value


def _constant(name: str) -> NoReturn:
    raise _MalformedError(f"`{name}` is not a JSON value")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)


def _check_depth(body: bytes) -> None:
    """Peel innermost pairs of brackets off until none is left; strings are looked into only if that fails."""
    if len(body) <= 2 * MAX_DEPTH:
        return
    if not _is_shallow(body) and not _is_shallow(_without_strings(body)):
        raise _MalformedError(_TOO_DEEP)


def _without_strings(body: bytes) -> bytes:
    """What stands outside of strings in a sound document; without escapes, every other quote ends one.

    In steps: a single one over megabytes, such as a regular expression, would hold the interpreter too long.
    """
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    return b"".join(plain.split(b'"')[::2])


def _is_shallow(body: bytes) -> bool:
    brackets = body.translate(_TO_BRACES, _NO_BRACKETS)
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


def _check_surrogates(text: str, value: Any) -> None:
    if _SURROGATE_ESCAPE.search(text):
        json.dumps(value, ensure_ascii=False).encode()
