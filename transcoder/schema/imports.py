"""Imports that a server forgot to name.

Servers that rebuild descriptors from another form (grpc-node's proto-loader does) send files without any
imports, and put well-known types into a file of their own. What a file refers to says which imports it needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

_WELL_KNOWN: Final = (
    "any",
    "api",
    "descriptor",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
    "wrappers",
)


def completed(file: FileDescriptorProto, homes: Mapping[str, str]) -> FileDescriptorProto:
    """A copy of a file that imports all it refers to, and nothing else.

    homes: name of the declaring file by type name (`.pkg.Type`); the runtime's own types need not be in it.
    """
    needed = {_home(scope, name, homes) for scope, name in _references(file) if name}
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    del copy.dependency[:], copy.public_dependency[:], copy.weak_dependency[:]
    copy.dependency.extend(sorted(name for name in needed if name is not None and name != file.name))
    return copy


def is_readable(file: FileDescriptorProto) -> bool:
    """Whether the names a pool takes unseen are text: those that are not UTF-8 are read as bytes."""
    names = [file.name, *file.dependency, *(name for _, name in _references(file))]
    messages = list(file.message_type)
    for message in messages:
        messages.extend(message.nested_type)
        names.extend(field.json_name for field in message.field)
    return all(isinstance(name, str) for name in names)


def declared_types(file: FileDescriptorProto) -> Iterator[str]:
    """Every message and enum a file declares, as `.pkg.Type`."""
    prefix = f".{file.package}" if file.package else ""
    yield from _declared(prefix, file.message_type, file.enum_type)


def _declared(
    prefix: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]
) -> Iterator[str]:
    yield from (f"{prefix}.{enum.name}" for enum in enums)
    for message in messages:
        name = f"{prefix}.{message.name}"
        yield name
        yield from _declared(name, message.nested_type, message.enum_type)


def _references(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """Every name of a type a file mentions, with the scope it is mentioned in (`.pkg.Outer`)."""
    package = f".{file.package}" if file.package else ""
    for service in file.service:
        for method in service.method:
            yield from ((package, method.input_type), (package, method.output_type))
    yield from ((package, name) for field in file.extension for name in (field.extendee, field.type_name))
    pending = [(f"{package}.{message.name}", message) for message in file.message_type]
    for scope, message in pending:
        pending.extend((f"{scope}.{nested.name}", nested) for nested in message.nested_type)
        for field in (*message.field, *message.extension):
            yield from ((scope, field.extendee), (scope, field.type_name))


def _home(scope: str, name: str, homes: Mapping[str, str]) -> str | None:
    """The file that declares a type; a name without a leading dot is looked for from its scope outwards."""
    while not name.startswith("."):
        home = _home(scope, f"{scope}.{name}", homes)
        if home is not None:
            return home
        if not scope:
            return None
        scope = scope.rpartition(".")[0]
    return _well_known_homes().get(name) or homes.get(name)


@cache
def _well_known_homes() -> Mapping[str, str]:
    homes = {}
    for stem in _WELL_KNOWN:
        module = importlib.import_module(f"google.protobuf.{stem}_pb2")
        file = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        homes.update(dict.fromkeys(declared_types(file), file.name))
    return homes
