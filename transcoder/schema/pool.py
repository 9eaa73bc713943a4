"""One private descriptor pool per backend and generation.

A pool cannot be changed once a file is in it, and two pools with equal names live side by side, so every
schema gets a pool of its own. What is wrong with one file costs that file and what needs it, never the rest.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from transcoder.schema.imports import completed, declared_types, is_readable

RUNTIME_PREFIX: Final = "google/protobuf/"
RUNTIME_PACKAGE: Final = "google.protobuf"
"""Types with behaviour in the runtime: a backend's own version of them would break it, so none is taken."""

_SHIPPED: Final = re.compile(r"google/(protobuf|api|rpc|type|longrunning)/[a-z0-9_/]+\.proto")
"""Files of the protobuf runtime and of googleapis-common-protos, which servers often forget to send."""

Files = Mapping[str, FileDescriptorProto]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPool:
    """A pool, the serialized files that are in it (imports before importers), and why others are not."""

    pool: DescriptorPool
    files: tuple[bytes, ...]
    problems: tuple[str, ...]


def build_pool(files: Mapping[str, bytes]) -> BuiltPool:
    """A pool of the given serialized files and the shipped ones they import.

    Files that cannot be added as they are get a second chance with the imports they should have named.
    """
    given, problems = _parsed(files)
    pool = _Pool()
    left_out = pool.add(given, given)
    if left_out:
        homes = {name: file.name for file in given.values() for name in declared_types(file)}
        repaired = {name: completed(given[name], homes) for name in left_out if name in given}
        left_out = pool.add({**given, **repaired}, repaired)
    problems.update(left_out)
    return BuiltPool(
        pool=pool.pool,
        files=tuple(pool.added.values()),
        problems=tuple(f"file {name!r} left out: {problem}" for name, problem in problems.items()),
    )


def imports_of(data: bytes) -> list[str]:
    """Names of the files a serialized file imports; none when it cannot be read."""
    try:
        dependencies = FileDescriptorProto.FromString(data).dependency
    except DecodeError:
        return []
    return [name for name in dependencies if isinstance(name, str)]  # what is not UTF-8 is read as bytes


def shipped_file(name: str) -> bytes | None:
    """The serialized file of that name, if the protobuf runtime or googleapis-common-protos has it."""
    if not _SHIPPED.fullmatch(name):
        return None
    module = name.removesuffix(".proto").replace("/", ".") + "_pb2"
    try:
        data: bytes = importlib.import_module(module).DESCRIPTOR.serialized_pb
    except ImportError:
        return None
    return data


class _Pool:
    """A pool and the serialized files in it, by name."""

    def __init__(self) -> None:
        self.pool = DescriptorPool()
        self.added: dict[str, bytes] = {}

    def add(self, files: Files, roots: Iterable[str]) -> dict[str, str]:
        """Add some of the files and what they import; returns what is wrong with those it cannot add."""
        contents = dict(_closure(files, roots))
        imports = {
            name: [dep for dep in file.dependency if dep in contents] for name, file in contents.items()
        }
        problems = {}
        for name in _imports_first(imports):
            if name in self.added:
                continue
            data = contents[name].SerializeToString()
            try:
                self.pool.AddSerializedFile(data)
                self.added[name] = data
            except TypeError as error:
                problems[name] = str(error)
        return problems


def _parsed(files: Mapping[str, bytes]) -> tuple[dict[str, FileDescriptorProto], dict[str, str]]:
    """The files that can be read and are a backend's own to define, and what is wrong with others."""
    parsed, problems = {}, {}
    for name, data in files.items():
        try:
            file = FileDescriptorProto.FromString(data)
        except DecodeError:
            problems[name] = "not a FileDescriptorProto"
            continue
        if not is_readable(file):
            problems[name] = "a name in it is not UTF-8"
        elif not _is_of_runtime(name, file):
            parsed[name] = file
    return parsed, problems


def _is_of_runtime(name: str, file: FileDescriptorProto) -> bool:
    is_own_file = name.startswith(RUNTIME_PREFIX) and shipped_file(name) is not None
    return is_own_file or file.package == RUNTIME_PACKAGE


def _closure(files: Files, roots: Iterable[str]) -> Iterator[tuple[str, FileDescriptorProto]]:
    """The roots and all they import, as far as it is there, each once."""
    queue = list(roots)
    seen = set(queue)
    for name in queue:
        file = files.get(name) or _shipped(name)
        if file is None:
            continue
        yield name, file
        missing = [dep for dep in file.dependency if dep not in seen]
        seen.update(missing)
        queue.extend(missing)


def _shipped(name: str) -> FileDescriptorProto | None:
    data = shipped_file(name)
    return None if data is None else FileDescriptorProto.FromString(data)


def _imports_first(imports: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Every file after those it imports. A cycle is cut where it closes: its files then fail alone."""
    seen: set[str] = set()
    for root in imports:
        stack = [(root, iter((root,)))]
        while stack:
            name, pending = stack[-1]
            dep = next((dep for dep in pending if dep not in seen), None)
            if dep is not None:
                seen.add(dep)
                stack.append((dep, iter(imports[dep])))
            else:
                stack.pop()
                if stack:
                    yield name
