"""What happens to the gateway, said to whoever keeps the log, and to whoever counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class EventLog(Protocol):
    """A structured log: an event in a few words, and its facts as fields."""

    def info(self, event: str, **fields: Any) -> Any:
        """Something operators expect to see."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Something that costs a part, while the rest goes on."""

    def error(self, event: str, **fields: Any) -> Any:
        """Something that should not happen."""


class Meter(Protocol):
    """Makes counters of what happens, under the names and labels of docs/metrics.md."""

    def __call__(self, name: str, /, **labels: str) -> Callable[[], None]:
        """What adds one, each time it is called: to be asked for once, not for every event.

        Labels are names of the configuration and of schemas, never what clients send.
        """


def unmetered(_name: str, /, **_labels: str) -> Callable[[], None]:
    """The meter of those who do not want to know."""
    return _nothing


def _nothing() -> None:
    """Count nothing."""
