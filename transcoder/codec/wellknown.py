"""Full names of the types that JSON treats in a way of its own (ProtoJSON, "Well-Known Types")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from transcoder.schema.shape import Kind

ANY: Final = "google.protobuf.Any"
DURATION: Final = "google.protobuf.Duration"
EMPTY: Final = "google.protobuf.Empty"
FIELD_MASK: Final = "google.protobuf.FieldMask"
LIST_VALUE: Final = "google.protobuf.ListValue"
NULL_VALUE: Final = "google.protobuf.NullValue"
STRUCT: Final = "google.protobuf.Struct"
TIMESTAMP: Final = "google.protobuf.Timestamp"
VALUE: Final = "google.protobuf.Value"
HTTP_BODY: Final = "google.api.HttpBody"

WRAPPERS: Final[Mapping[str, Kind]] = {
    "google.protobuf.DoubleValue": Kind.DOUBLE,
    "google.protobuf.FloatValue": Kind.FLOAT,
    "google.protobuf.Int64Value": Kind.INT64,
    "google.protobuf.UInt64Value": Kind.UINT64,
    "google.protobuf.Int32Value": Kind.INT32,
    "google.protobuf.UInt32Value": Kind.UINT32,
    "google.protobuf.BoolValue": Kind.BOOL,
    "google.protobuf.StringValue": Kind.STRING,
    "google.protobuf.BytesValue": Kind.BYTES,
}
"""The messages that stand for their only field, and its kind."""
