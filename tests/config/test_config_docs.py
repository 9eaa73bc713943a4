"""The reference names every key, with its default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from tests.config.conftest import Load
from transcoder.config.base import Model
from transcoder.config.model import Config

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
INSIDE: Mapping[Any, str] = {tuple: "[]", Mapping: ".<name>"}


def _models(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _keys(model: type[Model], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of the model that is not a mere section, and its default as YAML."""
    defaults = model.model_construct().model_dump(mode="json", by_alias=True)
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = next(_models(field.annotation), None)
        container = get_origin(field.annotation) in INSIDE
        if inner is None or container or field.default is None:
            default = "required" if field.is_required() else json.dumps(defaults[key]).strip('"')
            yield prefix + key, default
        if inner is not None:
            yield from _keys(inner, prefix + key + INSIDE.get(get_origin(field.annotation), "") + ".")


def test_every_key_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| .+ \|$", DOCS.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(_keys(Config))


def test_the_example_loads(load: Load) -> None:
    config, routes, *_ = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    loaded = load(config, routes=routes, JWT_SECRET="x" * 32)
    assert [route.name for route in loaded.config.routes] == ["get-order"]
