"""`json`: of the gateway, or of one route."""

from __future__ import annotations

from typing import Literal

from transcoder.config.base import Model
from transcoder.config.values import Flag


class JsonConfig(Model):
    """How messages are printed and how strictly requests are read."""

    preserve_proto_field_names: Flag = False
    """print order_id instead of orderId"""
    always_print_fields: Flag = False
    """print scalars, lists and maps that are not set"""
    enums_as_ints: Flag = False
    """print enum numbers instead of names"""
    unknown_fields: Literal["reject", "ignore"] = "reject"
    """keys of a body that name no field, and names that an enum does not have"""
    unknown_query: Literal["ignore", "reject"] = "ignore"
    """query parameters that name no field"""
