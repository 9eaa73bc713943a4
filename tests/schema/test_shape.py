"""The descriptor IR."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2 as pb
from google.protobuf.descriptor_pool import DescriptorPool

from transcoder.schema.shape import EnumShape, FieldPathError, Kind, NoFieldError, Shapes

STRING, INT32, ENUM, MESSAGE, GROUP = (
    pb.FieldDescriptorProto.TYPE_STRING,
    pb.FieldDescriptorProto.TYPE_INT32,
    pb.FieldDescriptorProto.TYPE_ENUM,
    pb.FieldDescriptorProto.TYPE_MESSAGE,
    pb.FieldDescriptorProto.TYPE_GROUP,
)
ONE, REQUIRED, MANY = (
    pb.FieldDescriptorProto.LABEL_OPTIONAL,
    pb.FieldDescriptorProto.LABEL_REQUIRED,
    pb.FieldDescriptorProto.LABEL_REPEATED,
)


def new_field(
    name: str, number: int, kind: int = STRING, label: int = ONE, **more: object
) -> pb.FieldDescriptorProto:
    return pb.FieldDescriptorProto(name=name, number=number, type=kind, label=label, **more)


def extensions() -> Shapes:
    file = pb.FileDescriptorProto(name="x.proto", package="x", syntax="proto2")
    for name in ("Open", "Other", "Set"):
        file.message_type.add(name=name).extension_range.add(start=100, end=200)
    file.message_type[2].options.message_set_wire_format = True
    file.extension.append(new_field("tags", 100, STRING, MANY, extendee=".x.Open", json_name="labels"))
    file.extension.append(new_field("part", 100, MESSAGE, extendee=".x.Set", type_name=".x.Open"))
    pool = DescriptorPool()
    pool.Add(file)
    return Shapes(pool)


def test_an_extension_is_a_field_with_a_name_of_its_own() -> None:
    field = extensions().extension("x.Open", "x.tags")
    assert field is not None
    assert (field.name, field.json_name, field.number) == ("[x.tags]", "[x.tags]", 100)
    assert field.kind is Kind.STRING
    assert field.is_repeated


@pytest.mark.parametrize(
    ("message", "name"),
    [("x.Other", "x.tags"), ("x.Open", "x.nothing"), ("x.Open", "tags"), ("x.Open", ""), ("x.Set", "x.part")],
)
def test_what_is_no_extension_of_a_message(message: str, name: str) -> None:
    assert extensions().extension(message, name) is None


def proto3_file() -> pb.FileDescriptorProto:
    file = pb.FileDescriptorProto(name="a.proto", package="a", syntax="proto3")
    color = file.enum_type.add(name="Color")
    color.options.allow_alias = True
    for name, number in (("RED", 0), ("ROUGE", 0), ("BLUE", -3)):
        color.value.add(name=name, number=number)
    entry = pb.DescriptorProto(
        name="ByNameEntry", field=[new_field("key", 1), new_field("value", 2, MESSAGE, type_name=".a.M")]
    )
    entry.options.map_entry = True
    message = file.message_type.add(name="M", nested_type=[entry])
    message.oneof_decl.add(name="choice")
    message.oneof_decl.add(name="single")
    message.oneof_decl.add(name="_maybe")
    message.field.extend(
        [
            new_field("custom", 11, json_name="zip_code"),
            new_field("zip_code", 9, INT32),
            new_field("tags", 1, STRING, MANY),
            new_field("numbers", 2, INT32, MANY),
            new_field("color", 3, ENUM, type_name=".a.Color"),
            new_field("child", 4, MESSAGE, type_name=".a.M"),
            new_field("by_name", 5, MESSAGE, MANY, type_name=".a.M.ByNameEntry"),
            new_field("left", 6, oneof_index=0),
            new_field("right", 7, oneof_index=0),
            new_field("alone", 8, oneof_index=1),
            new_field("maybe", 10, oneof_index=2, proto3_optional=True),
        ]
    )
    return file


def proto2_file() -> pb.FileDescriptorProto:
    file = pb.FileDescriptorProto(name="b.proto", package="b", syntax="proto2")
    file.enum_type.add(name="Closed").value.add(name="ONLY", number=1)
    message = file.message_type.add(name="M")
    message.nested_type.add(name="Extra")
    message.field.extend(
        [
            new_field("id", 1, STRING, REQUIRED),
            new_field("closed", 2, ENUM, type_name=".b.Closed"),
            new_field("extra", 3, GROUP, type_name=".b.M.Extra"),
            new_field("numbers", 4, INT32, MANY),
        ]
    )
    return file


@pytest.fixture
def shapes() -> Shapes:
    pool = DescriptorPool()
    pool.Add(proto3_file())
    pool.Add(proto2_file())
    return Shapes(pool)


def test_every_kind_has_the_name_of_its_descriptor_type() -> None:
    names = {name.removeprefix("TYPE_").lower() for name in pb.FieldDescriptorProto.Type.keys()}  # noqa: SIM118 - an enum wrapper, not a dict
    assert {str(kind) for kind in Kind} == names


def test_fields_keep_the_order_of_declaration(shapes: Shapes) -> None:
    names = [field.name for field in shapes.message("a.M").fields]
    assert names[:3] == ["custom", "zip_code", "tags"]
    assert names[-1] == "maybe"


def test_scalars_lists_and_types(shapes: Shapes) -> None:
    message = shapes.message("a.M")
    assert message.full_name == "a.M"
    fields = {field.name: field for field in message.fields}
    assert (fields["zip_code"].json_name, fields["zip_code"].number, fields["zip_code"].kind) == (
        "zipCode",
        9,
        "int32",
    )
    assert (fields["tags"].is_repeated, fields["tags"].is_packed) == (True, False)
    assert (fields["numbers"].is_repeated, fields["numbers"].is_packed) == (True, True)
    assert (fields["color"].kind, fields["color"].type_name) == (Kind.ENUM, "a.Color")
    assert (fields["child"].is_message, fields["child"].type_name, fields["child"].has_presence) == (
        True,
        "a.M",
        True,
    )
    assert (fields["zip_code"].type_name, fields["zip_code"].has_presence, fields["zip_code"].is_message) == (
        None,
        False,
        False,
    )


def test_maps(shapes: Shapes) -> None:
    field = shapes.field_path("a.M", "by_name")[0]
    assert field.key is not None
    assert field.value is not None
    assert (field.is_map, field.is_repeated) == (True, True)
    assert (field.key.kind, field.value.kind, field.value.type_name) == (Kind.STRING, Kind.MESSAGE, "a.M")
    assert not shapes.field_path("a.M", "child")[0].is_map


def test_only_real_oneofs_count(shapes: Shapes) -> None:
    fields = {field.name: field for field in shapes.message("a.M").fields}
    assert (fields["left"].oneof, fields["right"].oneof, fields["alone"].oneof) == (
        "choice",
        "choice",
        "single",
    )
    assert fields["maybe"].oneof is None
    assert fields["maybe"].has_presence


def test_proto2(shapes: Shapes) -> None:
    fields = {field.name: field for field in shapes.message("b.M").fields}
    assert (fields["id"].is_required, fields["closed"].is_required) == (True, False)
    assert (fields["extra"].kind, fields["extra"].is_message) == (Kind.GROUP, True)
    assert not fields["numbers"].is_packed
    assert fields["closed"].has_presence


def test_enums(shapes: Shapes) -> None:
    assert shapes.enum("a.Color") == EnumShape(
        full_name="a.Color",
        by_name={"RED": 0, "ROUGE": 0, "BLUE": -3},
        by_number={0: "RED", -3: "BLUE"},
        is_closed=False,
    )
    assert shapes.enum("b.Closed").is_closed


def test_a_field_is_found_under_both_spellings_and_the_json_name_wins(shapes: Shapes) -> None:
    message = shapes.message("a.M")
    by_json_name, by_name = message.field("zipCode"), message.field("zip_code")
    assert by_json_name is not None
    assert by_name is not None
    assert (by_json_name.name, by_name.name) == ("zip_code", "custom")
    assert message.field("nope") is None
    assert message.field("byName") is message.field("by_name")


def test_each_shape_is_made_once(shapes: Shapes) -> None:
    assert shapes.message("a.M") is shapes.message("a.M")
    assert shapes.enum("a.Color") is shapes.enum("a.Color")


def test_unknown_types_are_key_errors(shapes: Shapes) -> None:
    for unknown in ("a.N", "", "a.Color"):
        with pytest.raises(KeyError):
            shapes.message(unknown)
    with pytest.raises(KeyError):
        shapes.enum("a.M")
    with pytest.raises(KeyError):
        shapes.field_path("a.N", "x")


def test_field_paths(shapes: Shapes) -> None:
    assert [field.name for field in shapes.field_path("a.M", "tags")] == ["tags"]
    assert [field.name for field in shapes.field_path("a.M", "child.child.zipCode")] == [
        "child",
        "child",
        "zip_code",
    ]
    assert [field.name for field in shapes.field_path("b.M", "extra")] == ["extra"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nope", "no field `nope` in a.M"),
        ("", "no field `` in a.M"),
        ("child.", "no field `` in a.M"),
        (".child", "no field `` in a.M"),
        ("child.nope.x", "no field `nope` in a.M"),
        ("tags.x", "`tags` in a.M is repeated"),
        ("child.byName.value", "`by_name` in a.M is repeated"),
        ("left.x", "`left` in a.M is not a message"),
        ("color.x", "`color` in a.M is not a message"),
    ],
)
def test_bad_field_paths_say_where(shapes: Shapes, path: str, problem: str) -> None:
    with pytest.raises(FieldPathError) as caught:
        shapes.field_path("a.M", path)
    assert str(caught.value) == problem
    assert isinstance(caught.value, NoFieldError) == problem.startswith("no field")


def test_pools_do_not_meet() -> None:
    pool = DescriptorPool()
    file = pb.FileDescriptorProto(name="a.proto", package="a", syntax="proto3")
    file.message_type.add(name="M").field.append(new_field("other", 1))
    pool.Add(file)
    assert [field.name for field in Shapes(pool).message("a.M").fields] == ["other"]
