"""The scalar types of the configuration: how each is written in YAML, read, and written back.

A type reads its YAML form and serializes to it again: the dump of a model is a file that could be read, with
every secret masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, cast
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

MASK: Final = "***"

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h)"
_LONGEST: Final = 168 * 3600.0

_BYTES: Final = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
_SIZE: Final = r"([0-9]{1,10})(B|KiB|MiB|GiB)"
_LARGEST: Final = (1 << 31) - 1

_PERIODS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
_RATE: Final = r"([1-9][0-9]{0,8})/(second|minute|hour|day)"

_KEY_HASH: Final = "sha256:[0-9a-f]{64}"

_USERINFO: Final = re.compile(r"(?<=://)[^/@]*(?=@)")


def parse_duration(value: object) -> float:
    """`250ms`, `30s`, `5m` or `1h` in seconds, at most a week; ValueError otherwise."""
    match = re.fullmatch(_DURATION, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration such as 250ms, 30s or 5m")
    seconds = round(float(match[1]) * _SECONDS[match[2]], 6)
    if seconds > _LONGEST:
        raise ValueError("must be at most 168h")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest usual form of a duration: `250ms`, `30s`, `60s`, `5m`."""
    if seconds % 1:
        return f"{seconds * 1000:.10g}ms"
    return f"{seconds / 60:.0f}m" if seconds > 60 and seconds % 60 == 0 else f"{seconds:.0f}s"


def parse_size(value: object) -> int:
    """`512KiB`, `4MiB`, `1GiB` or `100B` in bytes, from 1 to 2^31-1; ValueError otherwise."""
    match = re.fullmatch(_SIZE, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a size such as 512KiB or 4MiB")
    size = int(match[1]) * _BYTES[match[2]]
    if not 0 < size <= _LARGEST:
        raise ValueError("must be more than 0B and less than 2GiB")
    return size


def format_size(size: int) -> str:
    """A size in the largest unit that divides it."""
    unit = next(unit for unit, factor in _BYTES.items() if size % factor == 0)
    return f"{size // _BYTES[unit]}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`requests` per `period` (second, minute, hour, day), `seconds` long."""

    requests: int
    period: str

    @property
    def seconds(self) -> float:
        """The length of the period."""
        return _PERIODS[self.period]

    def __str__(self) -> str:
        return f"{self.requests}/{self.period}"


def parse_rate(value: object) -> Rate:
    """`100/minute` as a Rate; ValueError otherwise."""
    match = re.fullmatch(_RATE, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a rate such as 10/second or 100/minute")
    return Rate(requests=int(match[1]), period=match[2])


def mask_userinfo(url: str) -> str:
    """A URL without the user and password it may carry."""
    return _USERINFO.sub(MASK, url)


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("must be longer than 0s")
    return seconds


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("expected an http:// or https:// URL")
    return value


def _storage(value: str) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if value != "memory" and not (valid and value.isprintable() and " " not in value):
        raise ValueError("expected memory or a redis:// URL")
    return value


def _key_hash(value: SecretStr) -> SecretStr:
    if not re.fullmatch(_KEY_HASH, value.get_secret_value()):
        raise ValueError(
            "expected sha256: and 64 hex digits in lower case, as transcoder api-key prints them"
        )
    return value


def _file(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("expected a file name")
    resolve = cast("Callable[[str], Path] | None", info.context)
    return resolve(str(value)) if resolve else Path(value)


def _text_schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(format_duration), _text_schema(_DURATION)
]
"""Seconds, 0 or more; `30s` in YAML."""

PositiveDuration = Annotated[Duration, AfterValidator(_positive), _text_schema(_DURATION)]
"""Seconds, more than 0."""

Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size), _text_schema(_SIZE)]
"""Bytes, more than 0; `4MiB` in YAML."""

RateLimit = Annotated[Rate, PlainValidator(parse_rate), PlainSerializer(str), _text_schema(_RATE)]
"""A Rate; `100/minute` in YAML."""

Secret = Annotated[SecretStr, PlainSerializer(lambda _: MASK, return_type=str)]
"""A text that is never shown; dumped as `***`."""

KeyHash = Annotated[Secret, AfterValidator(_key_hash), _text_schema(_KEY_HASH)]
"""`sha256:` and the SHA-256 of a key in hex; never shown, as a weak key could be found by trying."""

Url = Annotated[str, AfterValidator(_http_url), PlainSerializer(mask_userinfo)]
"""An http or https URL; dumped without user and password."""

Storage = Annotated[str, AfterValidator(_storage), PlainSerializer(mask_userinfo)]
"""`memory` or a Redis URL; dumped without user and password."""

FilePath = Annotated[Path, PlainValidator(_file, json_schema_input_type=str), PlainSerializer(str)]
"""A file; the validation context, a `Callable[[str], Path]`, makes it absolute and says whether it exists."""

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
"""0 or more; where it is a cap, 0 is none."""
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(min_length=1)]
