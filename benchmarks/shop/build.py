"""Compiles the backend and its descriptors, once for each version of their sources."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.api import annotations_pb2

HERE: Final = Path(__file__).parent
PROTO: Final = HERE / "shop.proto"
_SOURCE: Final = HERE / "backend.cc"
_GOOGLEAPIS: Final = Path(annotations_pb2.__file__).parents[2]
_PROTOS: Final = ("shop.proto", "google/api/annotations.proto", "google/api/http.proto")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """program: the backend; descriptors: a FileDescriptorSet with its imports."""

    program: Path
    descriptors: Path


def build(cache: Path) -> Built:
    """Build in a folder of the cache, unless that is done. Raises CalledProcessError when a tool fails."""
    digest = hashlib.sha256(PROTO.read_bytes() + _SOURCE.read_bytes() + Path(__file__).read_bytes())
    folder = cache / f"backend-{digest.hexdigest()[:12]}"
    built = Built(program=folder / "backend", descriptors=folder / "shop.binpb")
    if not built.program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _generate(folder, built.descriptors)
        _compile(folder, built.program)
    return built


def _generate(folder: Path, descriptors: Path) -> None:
    command = ["protoc", f"-I{HERE}", f"-I{_GOOGLEAPIS}", f"--cpp_out={folder}", f"--grpc_out={folder}"]
    command += [f"--plugin=protoc-gen-grpc={_which('grpc_cpp_plugin')}"]
    command += ["--include_imports", f"--descriptor_set_out={descriptors}", *_PROTOS]
    subprocess.run(command, check=True)


def _compile(folder: Path, program: Path) -> None:
    flags = _output("pkg-config", "--cflags", "--libs", "grpc++", "protobuf").split()
    sources = [str(_SOURCE), *(str(file) for file in folder.rglob("*.cc"))]
    partial = program.with_suffix(".partial")
    command = ["c++", "-O2", "-std=c++17", f"-I{folder}", "-o", str(partial), *sources]
    # nothing but its registration uses the reflection library, so the linker would leave it out
    command += ["-Wl,--no-as-needed", "-lgrpc++_reflection", "-Wl,--as-needed", *flags]
    subprocess.run(command, check=True)
    partial.rename(program)


def _which(program: str) -> str:
    return _output("which", program).strip()


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
