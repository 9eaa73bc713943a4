"""Uploads of bytes, which come as they were cut on their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message


def joined(messages: Sequence[Message]) -> list[Message]:
    """Messages with each upload in one: where it is cut depends on how its bytes happen to arrive.

    What comes behind its first part has data and nothing else.
    """
    found: list[Message] = []
    for message in messages:
        upload = upload_of(found[-1]) if found else None
        if upload is not None and is_more_data(message):
            upload.data += upload_of(message).data
        else:
            found.append(type(message).FromString(message.SerializeToString()))
    return found


def is_more_data(message: Message) -> bool:
    upload = upload_of(message)
    fields = [] if upload is None else upload.ListFields()
    is_alone = upload is message or len(message.ListFields()) == 1
    return is_alone and [field.name for field, _ in fields] == ["data"]


def upload_of(message: Message) -> Any:
    """The google.api.HttpBody that a message is or has, if any."""
    values = (message, *(value for _, value in message.ListFields() if isinstance(value, Message)))
    return next((one for one in values if one.DESCRIPTOR.full_name == "google.api.HttpBody"), None)
