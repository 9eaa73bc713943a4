"""File sets: their fingerprint, and their form as a FileDescriptorSet."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from transcoder.schema.source import FileSet, from_descriptor_set, services_of, to_descriptor_set


def file_set(files: dict[str, bytes], *services: str, **more: str | tuple[str, ...]) -> FileSet:
    return FileSet(files=files, services=services, **{"origin": "v1", **more})


def test_fingerprint_does_not_depend_on_order() -> None:
    one = file_set({"a": b"1", "b": b"2"}, "x.S", "x.T")
    other = file_set({"b": b"2", "a": b"1"}, "x.T", "x.S")
    assert one.fingerprint() == other.fingerprint()


def test_fingerprint_does_not_depend_on_how_the_files_were_obtained() -> None:
    files = {"a": b"1"}
    fingerprints = {
        file_set(files, "S", origin=origin, problems=problems).fingerprint()
        for origin, problems in (("v1", ()), ("v1alpha", ()), ("v1", ("a problem",)))
    }
    assert len(fingerprints) == 1


def test_fingerprint_tells_every_difference() -> None:
    sets = [
        file_set({"a": b"1", "b": b"2"}, "S"),
        file_set({"a": b"1", "b": b"3"}, "S"),
        file_set({"a": b"1", "c": b"2"}, "S"),
        file_set({"a": b"1"}, "S"),
        file_set({"a": b"1", "b": b"2"}, "T"),
        file_set({"a": b"1", "b": b"2"}, "S", "T"),
        file_set({"a": b"1b", "": b"2"}, "S"),
        file_set({"a": b"1b2"}, "S"),
        file_set({"Sa": b"1", "b": b"2"}),
    ]
    assert len({one.fingerprint() for one in sets}) == len(sets)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.binary(max_size=3), max_size=3), min_size=2, max_size=2)
)
def test_equal_fingerprints_are_equal_files(pair: list[dict[str, bytes]]) -> None:
    one, other = (file_set(files) for files in pair)
    assert (one.fingerprint() == other.fingerprint()) == (one.files == other.files)


def test_every_service_of_a_descriptor_set_is_wanted() -> None:
    files = [pb.FileDescriptorProto(name="a.proto", package="a"), pb.FileDescriptorProto(name="b.proto")]
    for file in files:
        file.service.add(name="S")
    source = from_descriptor_set(pb.FileDescriptorSet(file=files).SerializeToString())
    assert source.services == ("a.S", "S")
    assert source.files == {file.name: file.SerializeToString() for file in files}
    assert source.origin == "descriptor_set"
    assert source.problems == ()


def test_descriptor_set_survives_the_way_out_and_in() -> None:
    files = {name: pb.FileDescriptorProto(name=name).SerializeToString() for name in ("b", "a")}
    data = to_descriptor_set(files.values())
    assert [file.name for file in pb.FileDescriptorSet.FromString(data).file] == ["b", "a"]
    assert from_descriptor_set(data).files == files


def test_other_bytes_are_no_descriptor_set() -> None:
    with pytest.raises(ValueError, match=r"^not a serialized google\.protobuf\.FileDescriptorSet$"):
        from_descriptor_set(b"\xff\xff\xff")


def test_names_that_are_not_utf8_do_not_raise() -> None:
    file = pb.FileDescriptorProto(name="nnn", package="ppp")
    file.service.add(name="sss")
    for place in (b"nnn", b"ppp", b"sss"):
        hostile = file.SerializeToString().replace(place, b"\xff\xff\xff")
        source = from_descriptor_set(b"\x0a" + bytes([len(hostile)]) + hostile)
        assert all(isinstance(name, str) for name in (*source.files, *source.services))
        assert source.fingerprint()
        assert len(services_of(pb.FileDescriptorProto.FromString(hostile))) == 1
