"""Private pools compiled from the .proto files beside this one, and a codec over them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import google.api.httpbody_pb2
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_tools import protoc

from transcoder.codec import Codec, JsonOptions
from transcoder.schema.shape import Shapes

from .messages import runtime_file

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Shapes:
    """The shapes of kitchen.proto and legacy.proto, in a pool of their own."""
    out = tmp_path_factory.mktemp("codec") / "set.binpb"
    includes = [HERE, files("grpc_tools") / "_proto", Path(google.api.httpbody_pb2.__file__).parents[2]]
    arguments = [f"-I{path}" for path in includes] + [
        "--include_imports",
        f"--descriptor_set_out={out}",
        "kitchen.proto",
        "legacy.proto",
    ]
    assert protoc.main(["protoc", *arguments]) == 0
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(out.read_bytes()).file:
        if file.name.startswith("google/"):
            pool.AddSerializedFile(runtime_file(file.name))
        else:
            pool.Add(file)
    return Shapes(pool)


@pytest.fixture(scope="session")
def codec(shapes: Shapes) -> Codec:
    """A codec with the default options."""
    return Codec(shapes, JsonOptions())
