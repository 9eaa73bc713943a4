"""What every model of the configuration shares: frozen, no unknown keys, a key without a value is not set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class Model(BaseModel):
    """A mapping of the configuration; attribute names are the YAML keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {key: value for key, value in data.items() if value is not None}
        return data


def refusal(message: str, *loc: str | int) -> ValidationError:
    """An error at a key below the model whose validator raises it."""
    error = PydanticCustomError("rule", "{message}", {"message": message})
    return ValidationError.from_exception_data("", [InitErrorDetails(type=error, loc=loc, input=None)])


def check_pair(cert: object, key: object) -> None:
    """Raise unless a certificate and its private key are given together."""
    if (cert is None) != (key is None):
        missing, given = ("key", "cert") if key is None else ("cert", "key")
        raise refusal(f"is required with {given}", missing)
