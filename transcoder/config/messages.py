"""What the model's validation says, in the words of a configuration file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from transcoder.config.places import Loc, shown

_EXPECTED: Final[Mapping[str, str]] = {
    "model_type": "expected a mapping",
    "dict_type": "expected a mapping",
    "mapping_type": "expected a mapping",
    "tuple_type": "expected a list",
    "string_type": "expected a text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "literal_error": "expected {expected}",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
}
"""Each is followed by what was given."""

_PLAIN: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_too_short": "must not be empty",
}

_KEY_ITSELF: Final = "[key]"
"""What pydantic ends the way with when not the value but its key is wrong."""

_HIDDEN: Final = frozenset({"secret", "hash", "token", "metadata", "storage", "jwks_url", "otlp_endpoint"})
"""Keys whose values no message repeats: they are, or may carry, credentials."""


def explain(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Loc, str]]:
    """Every error of a validation of `model`: the way to the key and what is wrong with it."""
    for details in error.errors(include_url=False):
        loc = details["loc"]
        if loc[-1:] == (_KEY_ITSELF,) and details["type"] != "extra_forbidden":
            loc = loc[:-1]
        yield loc, _message(details, loc, model)


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean "address"?)` when a known name is close, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _message(details: ErrorDetails, loc: Loc, model: type[BaseModel]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{suggestion(str(loc[-1]), _keys(model, loc[:-1]))}"
    if kind in _PLAIN:
        return _PLAIN[kind]
    text = str(context["error"]) if kind == "value_error" else details["msg"]
    if kind in _EXPECTED:
        text = _EXPECTED[kind].format_map(context).replace("'", "")
    if kind == "string_type" and isinstance(details["input"], bool | int | float):
        text += " in quotes"
    if not text.startswith("expected") or _HIDDEN.intersection(loc):
        return text
    return f"{text}, got {shown(details['input'])}"


def _keys(model: type[BaseModel], loc: Loc) -> Iterator[str]:
    """The keys that may stand in the mapping at `loc`."""
    annotation: Any = model
    for part in loc:
        annotation = _inner(annotation, part)
    return iter(_fields(annotation))


def _inner(annotation: Any, part: str | int) -> Any:
    """The type of what stands at `part` of a value of this type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return arguments[0]
    return arguments[1] if origin is Mapping else _fields(annotation).get(str(part))


def _fields(annotation: Any) -> dict[str, Any]:
    """The types of a model's keys, the model perhaps being optional; nothing for what is no model."""
    types = (annotation, *get_args(annotation))
    models = [model for model in types if isinstance(model, type) and issubclass(model, BaseModel)]
    fields = (item for model in models for item in model.model_fields.items())
    return {field.alias or name: field.annotation for name, field in fields}
