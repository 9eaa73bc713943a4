"""The files a schema is built from, however they were obtained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSet:
    """Serialized FileDescriptorProtos by file name, and the services they are wanted for.

    origin: where they came from, as shown to operators: `v1`, `v1alpha` or `descriptor_set`.
    problems: what could not be obtained, a sentence each; the rest is usable.
    """

    files: Mapping[str, bytes]
    services: tuple[str, ...]
    origin: str
    problems: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """SHA-256 over the wanted services and every file: equal sets describe the same schema."""
        digest = hashlib.sha256()
        items = [name.encode() for name in sorted(self.services)]
        items += [item for name in sorted(self.files) for item in (name.encode(), self.files[name])]
        for item in items:
            digest.update(len(item).to_bytes(8, "big"))  # no two lists of items hash alike
            digest.update(item)
        return digest.hexdigest()


def from_descriptor_set(data: bytes) -> FileSet:
    """The files of a serialized google.protobuf.FileDescriptorSet; every service in it is wanted.

    Raises ValueError when the bytes are no FileDescriptorSet.
    """
    try:
        descriptor_set = descriptor_pb2.FileDescriptorSet.FromString(data)
    except DecodeError as error:
        raise ValueError("not a serialized google.protobuf.FileDescriptorSet") from error
    return FileSet(
        # a name that is not UTF-8 is bytes
        files={str(file.name): file.SerializeToString() for file in descriptor_set.file},
        services=tuple(service for file in descriptor_set.file for service in services_of(file)),
        origin="descriptor_set",
    )


def to_descriptor_set(files: Iterable[bytes]) -> bytes:
    """A serialized FileDescriptorSet of serialized files, in the given order."""
    protos = [descriptor_pb2.FileDescriptorProto.FromString(file) for file in files]
    return descriptor_pb2.FileDescriptorSet(file=protos).SerializeToString()


def services_of(file: descriptor_pb2.FileDescriptorProto) -> list[str]:
    """Full names of the services a file declares."""
    prefix = f"{file.package}." if file.package else ""
    return [f"{prefix}{service.name}" for service in file.service]
