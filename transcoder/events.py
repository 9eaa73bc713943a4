"""What happens to the gateway, said to whoever keeps the log."""

from __future__ import annotations

from typing import Any, Protocol


class EventLog(Protocol):
    """A structured log: an event in a few words, and its facts as fields."""

    def info(self, event: str, **fields: Any) -> Any:
        """Something operators expect to see."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Something that costs a part, while the rest goes on."""

    def error(self, event: str, **fields: Any) -> Any:
        """Something that should not happen."""
