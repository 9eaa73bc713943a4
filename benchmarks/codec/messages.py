"""The messages codecs are timed with: a small order, one with ten items, and a list of a thousand items."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.support.protos import Schema

_PROTO: Final = """\
syntax = "proto3";

package bench.v1;

import "google/protobuf/timestamp.proto";

enum Status {
  STATUS_UNSPECIFIED = 0;
  PENDING = 1;
  EXECUTED = 2;
  CANCELLED = 3;
}

message Item {
  string sku = 1;
  int64 stock = 2;
  double price = 3;
  Status status = 4;
  bool active = 5;
  google.protobuf.Timestamp updated_at = 6;
}

message Order {
  string order_id = 1;
  string symbol = 2;
  Status status = 3;
  int32 quantity = 4;
  double price = 5;
  bool is_limit = 6;
  int64 account_id = 7;
  google.protobuf.Timestamp created_at = 8;
  repeated Item items = 9;
  map<string, string> labels = 10;
}

message ListOrdersResponse {
  repeated Item items = 1;
  string next_page_token = 2;
  int32 total_size = 3;
}
"""

_STATUSES: Final = ("PENDING", "EXECUTED", "CANCELLED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One message in every form.

    name: full name of its type, which `pool` has; text: compact ProtoJSON; wire: the same as protobuf.
    """

    name: str
    pool: DescriptorPool = field(repr=False)
    cls: type[Message] = field(repr=False)
    text: bytes = field(repr=False)
    wire: bytes = field(repr=False)


def samples() -> dict[str, Sample]:
    """The samples by what they are called in tables: `small`, `create`, `list1000`."""
    schema = Schema.from_protos(_PROTO)
    return {
        "small": _sample(schema, "bench.v1.Order", _order()),
        "create": _sample(schema, "bench.v1.Order", _order() | _contents()),
        "list1000": _sample(schema, "bench.v1.ListOrdersResponse", _list(1000)),
    }


def list_of(size: int) -> Sample:
    """A list of so many items."""
    return _sample(Schema.from_protos(_PROTO), "bench.v1.ListOrdersResponse", _list(size))


def _sample(schema: Schema, name: str, value: dict[str, Any]) -> Sample:
    message = schema.message(name)
    json_format.ParseDict(value, message)
    return Sample(
        name=name,
        pool=schema.pool,
        cls=GetMessageClass(schema.pool.FindMessageTypeByName(name)),
        text=orjson.dumps(json_format.MessageToDict(message)),
        wire=message.SerializeToString(),
    )


def _order() -> dict[str, Any]:
    return {
        "orderId": "ord-000042",
        "symbol": "AAPL",
        "status": "PENDING",
        "quantity": 250,
        "price": 187.25,
        "isLimit": True,
        "accountId": "9007199254740993",
        "createdAt": "2024-05-17T09:30:00.250Z",
    }


def _contents() -> dict[str, Any]:
    items = [{"sku": f"SKU-{n:04}", "stock": str(n + 1), "price": 9.5 + n} for n in range(10)]
    return {
        "items": items,
        "labels": {
            "channel": "web",
            "campaign": "spring-sale-of-outdoor",
            "note": "Grüezi, bitte ohne Verpackung liefern",
        },
    }


def _list(size: int) -> dict[str, Any]:
    return {"items": [_item(n) for n in range(size)], "nextPageToken": "token-2", "totalSize": size}


def _item(n: int) -> dict[str, Any]:
    item = {"sku": f"S{n:05}", "stock": str(n * 37), "price": n * 0.25, "status": _STATUSES[n % 3]}
    if n % 10 == 0:
        item["active"] = True
        item["updatedAt"] = f"2024-05-{n // 10 % 28 + 1:02}T10:15:30Z"
    return item
