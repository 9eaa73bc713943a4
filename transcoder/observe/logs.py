"""The log: structlog to standard error, as JSON lines or for a console."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson
import structlog

MAX_VALUE: Final = 2_000
"""Characters of one logged value; clients choose some of them."""

MAX_EXCEPTION: Final = 20_000
"""Characters of a traceback; its end, which says what happened, is kept."""

_LEVELS: Final = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)

_CONTROL: Final = re.compile("[\x80-\x9f\u2028\u2029]")
"""What JSON lets through though terminals act on it, or end lines at it."""

_Event = MutableMapping[str, Any]


def configure_logs(level: str, style: Literal["json", "console"]) -> None:
    """Send every log line of the process, also those of libraries, to standard error. Call once at start."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _stamped,
            structlog.processors.format_exc_info,
            _bounded,
            _json if style == "json" else _console,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=max(number, logging.WARNING), force=True)


def get_log() -> structlog.typing.FilteringBoundLogger:
    """The gateway's log."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


class _Forward(logging.Handler):
    """Passes what libraries log through the standard library on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # arguments that do not fit: what has been said still counts
            message = str(record.msg)
        exc_info = record.exc_info if record.exc_info and record.exc_info[0] else None
        get_log().log(_level(record.levelno), message, logger=record.name, exc_info=exc_info)


def _level(number: int) -> int:
    """The standard level a library's own one counts as."""
    return max((level for level in _LEVELS if level <= number), default=logging.DEBUG)


def _stamped(_logger: Any, _method: str, event: _Event) -> Mapping[str, Any]:
    """Add the time. orjson writes it at a third of what the same text costs before."""
    event["timestamp"] = datetime.now(UTC)
    return event


def _bounded(_logger: Any, _method: str, event: _Event) -> Mapping[str, Any]:
    """Cut long texts: what a client sends must not fill the disk."""
    for key, value in event.items():
        if not isinstance(value, str):
            continue
        if key == "exception":
            event[key] = value[-MAX_EXCEPTION:]
        elif len(value) > MAX_VALUE:
            event[key] = f"{value[:MAX_VALUE]}... ({len(value)} characters)"
    return event


def _json(_logger: Any, _method: str, event: _Event) -> bytes:
    try:
        line = orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:  # lone surrogates, which header bytes outside UTF-8 become
        line = orjson.dumps(_printable(event), default=repr, option=orjson.OPT_UTC_Z)
    return line if line.isascii() else _CONTROL.sub(_code_point, line.decode()).encode()


def _code_point(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _printable(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in event.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, int | float | datetime | None):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text.encode(errors="backslashreplace").decode()


def _console(_logger: Any, _method: str, event: _Event) -> bytes:
    """One line: time, level, event, then `key=value`; control characters escaped. A traceback is indented, so
    that no text in it can pass for a line of its own.
    """
    time, level, name = event.pop("timestamp"), event.pop("level"), event.pop("event")
    exception = event.pop("exception", None)
    fields = " ".join(f"{key}={_field(value)}" for key, value in event.items() if value is not None)
    line = f"{time:%Y-%m-%dT%H:%M:%S.%fZ} {level:<7} {_escaped(name)}  {fields}"
    traceback = [] if exception is None else [f"    {_escaped(text)}" for text in exception.splitlines()]
    return "\n".join([line, *traceback]).encode(errors="backslashreplace")


def _field(value: Any) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)


def _escaped(text: str) -> str:
    return text if text.isprintable() else repr(text)[1:-1]
