"""Required fields of proto2: no backend can read a request without them, so it is refused here.

The wire bytes are looked at once they are complete, for body, path and query may each bring a part.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from transcoder.codec.parsing.invalid import shown
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.shape import Shapes


class RequiredFields:
    """The check of one message; whether there is anything to check is found out at the first call."""

    def __init__(self, shapes: Shapes, message: str) -> None:
        self._needs_check = lru_cache(lambda: _leads_to_required(shapes, message))
        self._shapes = shapes
        self._message = message

    def check(self, wire: bytes) -> None:
        """Raise INVALID_ARGUMENT, naming the fields that are missing."""
        if not self._needs_check():
            return
        cls: Any = GetMessageClass(self._shapes.pool.FindMessageTypeByName(self._message))
        # Called on the class: a field may shadow the method on its instances.
        try:
            missing = cls.FindInitializationErrors(cls.FromString(wire))
        except DecodeError as error:
            raise TranscodeError(INVALID_ARGUMENT, "request is nested too deeply") from error
        if missing:
            raise TranscodeError(INVALID_ARGUMENT, f"missing required field: {shown(', '.join(missing))}")


def _leads_to_required(shapes: Shapes, message: str) -> bool:
    seen, waiting = {message}, [message]
    while waiting:
        for field in shapes.message(waiting.pop()).fields:
            if field.is_required:
                return True
            if field.is_message and field.type_name is not None and field.type_name not in seen:
                seen.add(field.type_name)
                waiting.append(field.type_name)
    return False
