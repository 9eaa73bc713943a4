"""Required fields of proto2: no backend can read a request without them, so it is refused here.

The wire bytes are looked at once they are complete, for body, path and query may each bring a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from google.protobuf.message import DecodeError

from transcoder.codec.parsing.encode import RequestEncoder
from transcoder.codec.parsing.invalid import shown
from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.schema.classes import message_class
from transcoder.schema.shape import Shapes


class RequiredFields:
    """The checks of one schema; whether there is anything to check is found out at the first request."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._without: set[str] = set()

    def checked(self, message: str, encode: RequestEncoder) -> RequestEncoder:
        """The encoder of a message, which also raises INVALID_ARGUMENT for what lacks required fields."""
        needs_check = lru_cache(lambda: self._leads_to_required(message))

        def encode_checked(body: bytes, content_type: str, values: Sequence[str], query: str) -> bytes:
            wire = encode(body, content_type, values, query)
            if needs_check():
                self._check(message, wire)
            return wire

        return encode_checked

    def _check(self, message: str, wire: bytes) -> None:
        cls: Any = message_class(self._shapes.pool, message)
        # Called on the class: a field may shadow the method on its instances.
        try:
            missing = cls.FindInitializationErrors(cls.FromString(wire))
        except DecodeError as error:
            raise TranscodeError(INVALID_ARGUMENT, "request is nested too deeply") from error
        if missing:
            raise TranscodeError(INVALID_ARGUMENT, f"missing required field: {shown(', '.join(missing))}")

    def _leads_to_required(self, message: str) -> bool:
        """Messages found to lead to none are not walked again for others that contain them."""
        seen, waiting = {message}, [message]
        while waiting:
            for field in self._shapes.message(waiting.pop()).fields:
                if field.is_required:
                    return True
                name = field.type_name
                if field.is_message and name is not None and name not in seen and name not in self._without:
                    seen.add(name)
                    waiting.append(name)
        self._without |= seen
        return False
