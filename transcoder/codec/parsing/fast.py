"""The encoders of JSON as it usually comes: every field by the same one of its two spellings, no surprises.

They take apart the value they are given, and raise anything, or nothing sensible, for what they do not know:
`attempts` falls back on the strict encoders then. What they do encode is what the strict ones would.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from transcoder.codec.options import JsonOptions
from transcoder.codec.parsing.fields import Encoder
from transcoder.codec.parsing.keywords import Keywords
from transcoder.codec.parsing.message import MessageEncoders
from transcoder.codec.parsing.mirror import Mirror, Spelling
from transcoder.codec.parsing.wellknown import has_own_form
from transcoder.schema.shape import FieldShape, Shapes


class FastEncoders:
    """Encoders of the messages of one schema by mirror images, each made at its first use."""

    def __init__(
        self, shapes: Shapes, strict: MessageEncoders, options: JsonOptions, spell: Spelling
    ) -> None:
        self._strict = strict
        self.spell = spell
        self._mirror = Mirror(shapes, spell)
        self._keywords = Keywords(strict, spell, options.unknown_fields)
        self._encoders: dict[str, Encoder] = {}
        self._lock = Lock()

    def message(self, full_name: str) -> Encoder:
        """JSON value -> the serialized message, no tag, no length."""

        def encode(value: Any) -> bytes:
            made = self._encoders.get(full_name)
            if made is None:
                with self._lock:
                    made = self._encoders[full_name] = self._compile(full_name)
            return made(value)

        return encode

    def forget(self) -> None:
        """Let go of what was compiled and refers to itself; what is used again is compiled again."""
        self._keywords.forget()

    def field(self, owner: str, field: FieldShape) -> Encoder:
        """JSON value -> all a field of a message has on the wire, tags included."""
        encode, key = self.message(owner), self.spell(field)
        return lambda value: encode({key: value})

    def _compile(self, full_name: str) -> Encoder:
        if not has_own_form(full_name):
            self._keywords.add(self._mirror.reflect(full_name))
        if has_own_form(full_name) or not self._mirror.has(full_name):
            return self._strict.message(full_name)
        image = self._mirror.image(full_name)
        prepare = self._keywords.of(full_name)
        serialize: Encoder = image.SerializeToString
        if prepare is None:
            return lambda value: serialize(image(**value))

        def encode(value: Any) -> bytes:
            prepare((value,))
            return serialize(image(**value))

        return encode
