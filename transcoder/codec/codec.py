"""The codec of one schema: what turns HTTP into request bytes and response bytes into HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from transcoder.codec import status
from transcoder.codec.options import JsonOptions
from transcoder.codec.parsing.attempts import TextEncoders
from transcoder.codec.parsing.encode import RequestEncoder, compile_request
from transcoder.codec.parsing.required import RequiredFields
from transcoder.codec.printing.any import print_any_by
from transcoder.codec.printing.message import Printers
from transcoder.codec.printing.response import ResponseDecoder, compile_response
from transcoder.codec.wellknown import HTTP_BODY
from transcoder.schema.shape import Shapes


class Codec:
    """Compiles encoders and decoders; messages are compiled when they are first met."""

    def __init__(self, shapes: Shapes, options: JsonOptions) -> None:
        self._shapes = shapes
        self.options = options
        self._encoders = TextEncoders(shapes, options)
        self._required = RequiredFields(shapes)
        self._printers = Printers(shapes, options, print_any_by)
        self._print_any = print_any_by(self._printers)

    def forget(self) -> None:
        """Let go of compiled messages, which refer to each other: else only Python's collector frees them.

        Nothing changes for who still uses this codec or what it made: what is needed is compiled again.
        """
        self._encoders.forget()
        self._printers.forget()

    def request_encoder(
        self, message: str, *, http_method: str, body: str | None, path_fields: Sequence[str | None]
    ) -> RequestEncoder:
        """(body, Content-Type or "", captured path values, raw query) -> the wire bytes of a request message.

        body: `*`, a field, or None. path_fields: the dotted request field of each template variable, in
        order; None for one that binds no field. The encoder raises TranscodeError and nothing else. Raises
        BindingError naming the part of the rule, KeyError if there is no such message.
        """
        encode = compile_request(
            self._shapes,
            self._encoders,
            self.options,
            message=message,
            http_method=http_method,
            body=body,
            path_fields=path_fields,
        )
        return self._required.checked(message, encode)

    def response_decoder(self, message: str, *, response_body: str | None) -> ResponseDecoder:
        """wire -> (body, Content-Type) of the HTTP answer; response_body: the only field to send, or None.

        The decoder raises TranscodeError(INTERNAL_ERROR) for what has no JSON form.
        Raises BindingError if there is no such field, KeyError if there is no such message.
        """
        return compile_response(self._printers, message=message, response_body=response_body)

    def is_http_body(self, message: str, part: str | None) -> bool:
        """Whether plain bytes stand for a message or a field of it. part: the field; `*` or None for all."""
        if part is None or part == "*":
            return message == HTTP_BODY
        field = self._shapes.field_path(message, part)[-1]
        return field.type_name == HTTP_BODY and not field.is_repeated

    def encode_json(self, message: str) -> Callable[[bytes], bytes]:
        """JSON text -> the wire bytes of a message, by an encoder that raises
        TranscodeError(INVALID_ARGUMENT).
        """
        self._shapes.message(message)
        return self._encoders.compile(lambda encoders: encoders.message(message))

    def status_details(self, wire: bytes) -> list[dict[str, Any]]:
        """The details of a serialized google.rpc.Status as JSON objects with `@type`; never raises.

        Types are looked up in this schema, then among google.rpc's own; the bytes of an unknown one are
        base64.
        """
        return status.status_details(wire, self._print_any)

    def retry_delay(self, wire: bytes) -> float | None:
        """How long a serialized google.rpc.Status asks to wait, in seconds; None if it does not say."""
        return status.retry_delay(wire)
