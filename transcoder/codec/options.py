"""The `json` section of the configuration, as far as the codec is concerned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unknown = Literal["reject", "ignore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonOptions:
    """How JSON is printed and how much of it may be unknown.

    unknown_fields: keys of a body that name no field, and names that an enum does not have.
    unknown_query: query keys that name no field.
    """

    preserve_proto_field_names: bool = False
    always_print_fields: bool = False
    enums_as_ints: bool = False
    unknown_fields: Unknown = "reject"
    unknown_query: Unknown = "ignore"
