"""The configuration outwards: JSON Schemas for editors, and what is in effect without its secrets."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from transcoder.config.base import Model
from transcoder.config.model import Config, RoutesFile

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_EMPTY: Final = {"type": "null"}
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}
_NARROWED: Final = ("pattern", "enum", "const")


def masked(config: Config) -> dict[str, Any]:
    """The configuration as YAML would say it: durations and sizes as texts, secrets as `***`."""
    return config.model_dump(mode="json", by_alias=True)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of config.yaml."""
    return _schema(Config)


def routes_json_schema() -> dict[str, Any]:
    """The JSON Schema of routes.yaml."""
    return _schema(RoutesFile)


def _schema(model: type[Model]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **model.model_json_schema(schema_generator=_AsWritten)}


class _AsWritten(GenerateJsonSchema):
    """Describes the file, not the model: defaults in YAML form, keys without a value, `${NAME}` anywhere."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        result = super().model_schema(schema)
        defaults = schema["cls"].model_construct().model_dump(mode="json", by_alias=True)
        for key, described in result["properties"].items():
            result["properties"][key] = _optional(described, defaults[key]) if key in defaults else described
        return result


def _optional(described: JsonSchemaValue, default: Any) -> JsonSchemaValue:
    value = {key: part for key, part in described.items() if key not in {"title", "description", "default"}}
    options = [option for option in value.get("anyOf", [value]) if option != _EMPTY]
    if any(_refuses_reference(option) for option in options):
        options.append(_REFERENCE)
    notes = {"description": described["description"]} if "description" in described else {}
    return {**notes, "default": default, "anyOf": [*options, _EMPTY]}


def _refuses_reference(option: JsonSchemaValue) -> bool:
    if option.get("type") == "string":
        return any(key in option for key in _NARROWED)
    return option.get("type") in {"integer", "number", "boolean"}
