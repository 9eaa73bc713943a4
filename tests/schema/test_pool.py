"""One private pool per schema: what gets in, in which order, and what a broken file costs."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2 as pb
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.protos import Schema as Compiled
from transcoder.schema.pool import BuiltPool, build_pool, imports_of, shipped_file

STRING, MESSAGE = pb.FieldDescriptorProto.TYPE_STRING, pb.FieldDescriptorProto.TYPE_MESSAGE


def new_file(name: str, *imports: str, package: str = "") -> pb.FileDescriptorProto:
    """A file with one message, `M`, that has a field for the `M` of every import."""
    package = package or name.removesuffix(".proto").replace("/", ".")
    file = pb.FileDescriptorProto(name=name, package=package, dependency=imports, syntax="proto3")
    message = file.message_type.add(name="M")
    for number, other in enumerate(imports, 1):
        type_name = f".{other.removesuffix('.proto').replace('/', '.')}.M"
        message.field.add(name=f"f{number}", number=number, label=1, type=MESSAGE, type_name=type_name)
    return file


def build(*files: pb.FileDescriptorProto) -> BuiltPool:
    return build_pool({file.name: file.SerializeToString() for file in files})


def names(built: BuiltPool) -> list[str]:
    return [pb.FileDescriptorProto.FromString(data).name for data in built.files]


def importing(*imports: str) -> pb.FileDescriptorProto:
    """A file that imports others without using them."""
    return pb.FileDescriptorProto(name="user.proto", package="user", dependency=imports, syntax="proto3")


def test_imports_come_before_importers_whatever_the_order() -> None:
    files = [
        new_file("top.proto", "left.proto", "right.proto"),
        new_file("left.proto", "bottom.proto"),
        new_file("right.proto", "bottom.proto"),
        new_file("bottom.proto"),
    ]
    for given in (files, files[::-1]):
        built = build(*given)
        order = names(built)
        assert sorted(order) == sorted(file.name for file in files)
        assert order.index("bottom.proto") < order.index("left.proto") < order.index("top.proto")
        assert order.index("right.proto") < order.index("top.proto")
        assert built.problems == ()
        assert built.pool.FindMessageTypeByName("top.M").fields[0].message_type.full_name == "left.M"


def test_equal_names_live_side_by_side() -> None:
    first, second = new_file("a.proto"), new_file("a.proto")
    first.message_type[0].field.add(name="x", number=1, label=1, type=STRING)
    second.message_type[0].field.add(name="y", number=1, label=1, type=MESSAGE, type_name=".a.M")
    pools = [build(file).pool for file in (first, second)]
    fields = [[field.name for field in pool.FindMessageTypeByName("a.M").fields] for pool in pools]
    assert fields == [["x"], ["y"]]


def test_chain_of_thousands_of_files_is_no_recursion() -> None:
    length = 5_000
    chain = [new_file(f"f{n}.proto", *([f"f{n + 1}.proto"] if n + 1 < length else [])) for n in range(length)]
    built = build(*chain)
    assert built.problems == ()
    assert names(built) == [f"f{n}.proto" for n in reversed(range(length))]


@pytest.mark.parametrize(
    "name",
    ["google/protobuf/timestamp.proto", "google/api/annotations.proto", "google/rpc/status.proto",
     "google/type/money.proto", "google/longrunning/operations.proto"],
)  # fmt: skip
def test_files_a_backend_forgets_are_shipped(name: str) -> None:
    built = build(importing(name))
    assert names(built)[-1] == "user.proto"
    assert name in names(built)
    assert built.problems == ()


def test_shipped_files_bring_their_own_imports() -> None:
    order = names(build(importing("google/api/annotations.proto")))
    assert sorted(order[:2]) == ["google/api/http.proto", "google/protobuf/descriptor.proto"]
    assert order[2:] == ["google/api/annotations.proto", "user.proto"]


@pytest.mark.parametrize("package", ["google.protobuf", "other"])
def test_runtime_files_are_never_taken_from_the_wire(package: str) -> None:
    fake = new_file("google/protobuf/timestamp.proto", package=package)
    fake.message_type[0].name = "Timestamp"
    user = importing("google/protobuf/timestamp.proto")
    user.message_type.add(name="M").field.add(
        name="at", number=1, label=1, type=MESSAGE, type_name=".google.protobuf.Timestamp"
    )
    built = build(fake, user)
    assert built.problems == ()
    at = GetMessageClass(built.pool.FindMessageTypeByName("user.M"))().at
    at.FromJsonString("2020-01-01T00:00:00Z")
    assert at.SerializeToString() == Timestamp(seconds=1577836800).SerializeToString()


def test_features_the_runtime_does_not_ship_are_taken_from_the_wire() -> None:
    """Go backends with an API level import such a file; its messages have no behaviour."""
    features = "google/protobuf/lua_features.proto"
    files = Compiled.from_protos(
        {
            features: """
                edition = "2023"; package pb;
                import "google/protobuf/descriptor.proto";
                extend google.protobuf.FeatureSet { LuaFeatures lua = 9990; }
                message LuaFeatures { int32 api_level = 1; }
            """,
            "user.proto": f"""
                edition = "2023"; package user; import "{features}"; message M {{ string x = 1; }}
            """,
        }
    ).files.file
    built = build(*files)
    assert built.problems == ()
    assert features in names(built)
    assert built.pool.FindMessageTypeByName("user.M").fields_by_name["x"].has_presence


def test_backends_version_of_other_shipped_files_counts() -> None:
    own = new_file("google/rpc/own.proto", package="google.rpc")
    assert names(build(own)) == ["google/rpc/own.proto"]
    changed = new_file("google/rpc/code.proto", package="google.rpc")
    assert build(changed).pool.FindMessageTypeByName("google.rpc.M").full_name == "google.rpc.M"


def test_cycle_costs_its_files_and_their_importers_only() -> None:
    built = build(
        new_file("a.proto", "b.proto"),
        new_file("b.proto", "a.proto"),
        new_file("user.proto", "a.proto"),
        new_file("self.proto", "self.proto"),
        new_file("good.proto"),
    )
    assert "good.proto" in names(built)
    assert not {"a.proto", "b.proto", "user.proto"} & set(names(built))
    assert {problem.split("'")[1] for problem in built.problems} >= {"a.proto", "b.proto", "user.proto"}


def test_broken_file_costs_itself_and_its_importers_only() -> None:
    broken = new_file("broken.proto")
    broken.message_type[0].name = "not a name"
    built = build(
        new_file("user.proto", "broken.proto"),
        broken,
        new_file("good.proto"),
        new_file("friend.proto", "good.proto"),
    )
    assert names(built) == ["good.proto", "friend.proto"]
    assert [problem.split(": ")[0] for problem in built.problems] == [
        "file 'broken.proto' left out",
        "file 'user.proto' left out",
    ]


def test_missing_import_is_said() -> None:
    built = build(new_file("user.proto", "nowhere.proto"))
    assert built.files == ()
    (problem,) = built.problems
    assert problem.startswith("file 'user.proto' left out: ")
    assert "nowhere" in problem


def test_bytes_that_are_no_file_are_said() -> None:
    built = build_pool({"bad.proto": b"\xff\xff", "good.proto": new_file("good.proto").SerializeToString()})
    assert names(built) == ["good.proto"]
    assert built.problems == ("file 'bad.proto' left out: not a FileDescriptorProto",)
    assert imports_of(b"\xff\xff") == []


@pytest.mark.parametrize("place", [b"file-name", b"import", b"jsonName", b"typeName", b"nestedJson"])
def test_name_that_is_not_utf8_costs_its_file(place: bytes) -> None:
    file = pb.FileDescriptorProto(name="file-name", package="p", syntax="proto3", dependency=["import"])
    message = file.message_type.add(name="M")
    message.field.add(name="f", number=1, label=1, type=MESSAGE, type_name="typeName", json_name="jsonName")
    nested = message.nested_type.add(name="N")
    nested.field.add(name="g", number=1, label=1, type=STRING, json_name="nestedJson")
    hostile = file.SerializeToString().replace(place, b"\xff" * len(place))
    built = build_pool({"hostile": hostile, "good.proto": new_file("good.proto").SerializeToString()})
    assert names(built) == ["good.proto"]
    assert built.problems == ("file 'hostile' left out: a name in it is not UTF-8",)
    assert imports_of(hostile) == ([] if place == b"import" else ["import"])


@pytest.mark.parametrize(
    "name",
    ["google/api/../../os.proto", "google/api/http", "google/api//http.proto", "google/api/nothing.proto",
     "google/cloud/x.proto", "os.proto", "google/api/http.proto\n", "google/protobuf/.proto"],
)  # fmt: skip
def test_no_other_module_is_imported_for_a_file_name(name: str) -> None:
    assert shipped_file(name) is None


@pytest.mark.parametrize("type_name", ["Nowhere", ".a.Nowhere", "M.Nowhere"])
def test_type_that_is_nowhere_costs_its_file(type_name: str) -> None:
    file = new_file("a.proto")
    file.message_type[0].field.add(name="f", number=1, label=1, type=MESSAGE, type_name=type_name)
    built = build(file, new_file("good.proto"))
    assert names(built) == ["good.proto"]
    (problem,) = built.problems
    assert problem.startswith("file 'a.proto' left out: ")
