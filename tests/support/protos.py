"""Schemas from proto text, compiled where the test stands."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc_tools
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc

_INCLUDES: Final = (
    Path(grpc_tools.__file__).parent / "_proto",  # google/protobuf
    Path(annotations_pb2.__file__).parents[2],  # google/api, google/rpc
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A FileDescriptorSet and a private pool built from it."""

    files: FileDescriptorSet = field(repr=False)
    pool: DescriptorPool

    @classmethod
    def from_files(cls, files: FileDescriptorSet) -> Schema:
        """files: dependencies before the files that import them, as protoc writes them."""
        pool = DescriptorPool()
        for file in files.file:
            pool.AddSerializedFile(file.SerializeToString())
        return cls(files=files, pool=pool)

    @classmethod
    def from_protos(cls, protos: str | Mapping[str, str]) -> Schema:
        """protos: the text of one file, or of several by name; google/protobuf, api and rpc can be imported.

        Raises ValueError when protoc refuses the text; it has written why to stderr.
        """
        texts = {"test.proto": protos} if isinstance(protos, str) else protos
        return _compile(tuple(texts.items()))

    def type(self, name: str) -> type[Message]:
        """The class of a message, by its full name."""
        return GetMessageClass(self.pool.FindMessageTypeByName(name))

    def message(self, name: str, /, **fields: Any) -> Message:
        return self.type(name)(**fields)

    def services(self) -> list[str]:
        """The full names of the services in the set."""
        return [
            f"{file.package}.{service.name}".lstrip(".")
            for file in self.files.file
            for service in file.service
        ]

    def methods(self) -> Iterator[MethodDescriptor]:
        for name in self.services():
            yield from self.pool.FindServiceByName(name).methods


@functools.cache
def _compile(texts: tuple[tuple[str, str], ...]) -> Schema:
    with tempfile.TemporaryDirectory() as directory:
        for name, text in texts:
            path = Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        output = Path(directory, "descriptors.binpb")
        arguments = [f"-I{path}" for path in (directory, *_INCLUDES)]
        arguments += ["--include_imports", "--include_source_info", f"--descriptor_set_out={output}"]
        if protoc.main(["protoc", *arguments, *(name for name, _ in texts)]):
            raise ValueError(f"protoc refused {', '.join(name for name, _ in texts)}")
        return Schema.from_files(FileDescriptorSet.FromString(output.read_bytes()))
