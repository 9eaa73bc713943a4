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

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

RUNTIME_PREFIX: Final = "google/protobuf/"
"""Files whose messages have behaviour in the runtime; a backend's own version of them would break it."""

_SHIPPED: Final = re.compile(r"google/(protobuf|api|rpc|type|longrunning)/[a-z0-9_/]+\.proto")
"""Files of the protobuf runtime and of googleapis-common-protos, which servers often forget to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPool:
    """A pool, the serialized files that are in it (imports before importers), and why others are not."""

    pool: DescriptorPool
    files: tuple[bytes, ...]
    problems: tuple[str, ...]


def build_pool(files: Mapping[str, bytes]) -> BuiltPool:
    """A pool of the given serialized files and the shipped ones they import."""
    pool = DescriptorPool()
    added, problems = [], []
    contents = dict(_closure(files))
    imports = {name: [dep for dep in imports_of(data) if dep in contents] for name, data in contents.items()}
    for name in _dependencies_first(imports):
        try:
            pool.AddSerializedFile(contents[name])
            added.append(contents[name])
        except TypeError as error:
            problems.append(f"file {name!r} left out: {error}")
    return BuiltPool(pool=pool, files=tuple(added), problems=tuple(problems))


def imports_of(data: bytes) -> list[str]:
    """Names of the files a serialized file imports; none when it cannot be read."""
    try:
        return list(descriptor_pb2.FileDescriptorProto.FromString(data).dependency)
    except DecodeError:
        return []


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


def _closure(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Every file that can be in the pool: those given and the shipped ones they need, each once."""
    seen = set(files)
    queue = list(files)
    for name in queue:
        data = shipped_file(name) if name.startswith(RUNTIME_PREFIX) else files.get(name, shipped_file(name))
        if data is None:
            continue
        yield name, data
        missing = [dep for dep in imports_of(data) if dep not in seen]
        seen.update(missing)
        queue.extend(missing)


def _dependencies_first(imports: Mapping[str, Iterable[str]]) -> Iterator[str]:
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
