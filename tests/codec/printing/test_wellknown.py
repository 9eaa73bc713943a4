"""The JSON forms of google/protobuf, at the borders of what has one."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import (
    BoolValue,
    BytesValue,
    DoubleValue,
    FloatValue,
    Int64Value,
    StringValue,
    UInt32Value,
)
from hypothesis import given
from hypothesis import strategies as st

from transcoder.codec.printing.wellknown import well_known

YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800
DECADES = 315_576_000_000


def printed(message: Any) -> Any:
    form = well_known(message.DESCRIPTOR.full_name)
    assert form is not None
    return form(message)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Timestamp(), "1970-01-01T00:00:00Z"),
        (Timestamp(seconds=-1), "1969-12-31T23:59:59Z"),
        (Timestamp(seconds=-1, nanos=999_999_999), "1969-12-31T23:59:59.999999999Z"),
        (Timestamp(seconds=1_709_209_815, nanos=500_000_000), "2024-02-29T12:30:15.500Z"),
        (Timestamp(seconds=1_709_209_815, nanos=50_000), "2024-02-29T12:30:15.000050Z"),
        (Timestamp(seconds=1_709_209_815, nanos=5), "2024-02-29T12:30:15.000000005Z"),
        (Timestamp(seconds=YEAR_1), "0001-01-01T00:00:00Z"),
        (Timestamp(seconds=YEAR_10000 - 1, nanos=999_999_999), "9999-12-31T23:59:59.999999999Z"),
        (Duration(), "0s"),
        (Duration(seconds=-1, nanos=-500_000_000), "-1.500s"),
        (Duration(nanos=-1), "-0.000000001s"),
        (Duration(seconds=DECADES, nanos=1_000), "315576000000.000001s"),
        (Duration(seconds=-DECADES), "-315576000000s"),
        (FieldMask(), ""),
        (FieldMask(paths=["a", "foo_bar.baz_q", "b1"]), "a,fooBar.bazQ,b1"),
        (Value(), None),
        (Value(null_value=5), None),
        (Value(bool_value=False), False),
        (Value(number_value=-0.0), -0.0),
        (Value(list_value=ListValue()), []),
        (Struct(), {}),
        (BoolValue(), False),
        (BytesValue(value=b"\xfb\xff"), "+/8="),
        (DoubleValue(value=float("-inf")), "-Infinity"),
        (FloatValue(value=0.1), 0.1),
        (Int64Value(value=-5), "-5"),
        (StringValue(value="x"), "x"),
        (UInt32Value(value=5), 5),
    ],
)
def test_forms(message: Any, text: Any) -> None:
    assert repr(printed(message)) == repr(text)


@pytest.mark.parametrize(
    "message",
    [
        Timestamp(seconds=YEAR_1 - 1),
        Timestamp(seconds=YEAR_10000),
        Timestamp(seconds=2**63 - 1),
        Timestamp(seconds=-(2**63)),
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
        Duration(seconds=DECADES + 1),
        Duration(seconds=-DECADES - 1),
        Duration(nanos=1_000_000_000),
        Duration(nanos=-1_000_000_000),
        Duration(seconds=1, nanos=-1),
        Duration(seconds=-1, nanos=1),
        FieldMask(paths=["fooBar"]),
        FieldMask(paths=["foo__bar"]),
        FieldMask(paths=["foo_"]),
        FieldMask(paths=["foo_1"]),
        Value(number_value=float("nan")),
        Value(number_value=float("inf")),
        Struct(fields={"a": Value(list_value=ListValue(values=[Value(number_value=float("-inf"))]))}),
    ],
    ids=repr,
)
def test_what_has_no_form(message: Any) -> None:
    with pytest.raises(ValueError, match=r"out of range|FieldMask path|not finite"):
        printed(message)


@given(
    st.integers(YEAR_1, YEAR_10000 - 1),
    st.integers(0, 999_999_999) | st.integers(0, 999).map(lambda n: n * 10**6),
)
def test_timestamps_are_those_of_the_runtime(seconds: int, nanos: int) -> None:
    message = Timestamp(seconds=seconds, nanos=nanos)
    assert printed(message) == message.ToJsonString()


@given(st.integers(-DECADES, DECADES), st.integers(-999_999_999, 999_999_999))
def test_durations_are_those_of_the_runtime(seconds: int, nanos: int) -> None:
    message = Duration(seconds=seconds, nanos=nanos if seconds * nanos >= 0 else -nanos)
    assert printed(message) == message.ToJsonString()


@given(st.lists(st.text(st.sampled_from("abé_.Z1"), max_size=6), max_size=2))
def test_masks_are_those_of_the_runtime(paths: list[str]) -> None:
    message = FieldMask(paths=paths)
    try:
        want = message.ToJsonString()
    except ValueError:
        with pytest.raises(ValueError, match="FieldMask path"):
            printed(message)
    else:
        assert printed(message) == want


def test_others_have_none() -> None:
    assert well_known("google.protobuf.Empty") is None
    assert well_known("pkg.Message") is None
