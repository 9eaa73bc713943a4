"""What of a request ends up in which field of the request message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from transcoder.codec.parsing.binding import compile_path, compile_query
from transcoder.errors import TranscodeError
from transcoder.plan.metadata import path_key
from transcoder.plan.plan import MethodPlan, Route, Snapshot
from transcoder.schema.example import type_text
from transcoder.schema.shape import FieldPathError, Shapes

METADATA_ONLY: Final = "metadata only"
"""What a path variable binds that names no field."""

_NOTHING: Final = {"binds": None, "type": None, "problem": None}


def describe_request(route: Route, captures: Sequence[str], query: str, snapshot: Snapshot) -> dict[str, Any]:
    """What path, body and raw query of a request bind: `{"captures", "body", "query", "problem"}`.

    A capture has variable, value and metadata, the key it is sent under whatever it binds; an item of query
    has key and value. Each, and body, has binds (a dotted field, `*`, `metadata only`, or None) and its type;
    captures and query have problem: what is wrong with the value, or why it binds nothing. The problem of all
    is what the client would read. Without a plan only the captured values are known.
    """
    schema = snapshot.backends[route.info.backend].schema
    if route.plan is None or schema is None:
        unbound = [capture | _NOTHING for capture in _captures(route, captures)]
        return {"captures": unbound, "body": None, "query": [], "problem": None}
    reader = _Reader(route.plan, schema.shapes)
    fields = route.plan.path_fields
    return {
        "captures": [
            capture | reader.capture(field, capture["value"])
            for field, capture in zip(fields, _captures(route, captures), strict=True)
        ],
        "body": reader.body(),
        "query": [reader.query_item(item) for item in query.split("&") if item],
        "problem": reader.refusal(captures, query),
    }


def _captures(route: Route, captures: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"variable": variable.field_path, "value": value, "metadata": path_key(variable.field_path)}
        for variable, value in zip(route.template.variables, captures, strict=True)
    ]


class _Reader:
    """Asks the codec about one part of a request at a time, so that what it says is what happens."""

    def __init__(self, plan: MethodPlan, shapes: Shapes) -> None:
        self._shapes = shapes
        self._message = plan.binding.method.request
        self._body = plan.binding.body
        self._bind_path = compile_path(shapes, self._message, plan.path_fields)
        body = None if self._body in (None, "*") else shapes.field_path(self._message, self._body)
        self._bind_query = compile_query(
            shapes,
            self._message,
            plan.json.unknown_query,
            path=[shapes.field_path(self._message, path) for path in plan.path_fields if path],
            body=body,
        )

    def capture(self, field: str | None, value: str) -> dict[str, Any]:
        """What the value of a path variable binds."""
        if field is None:
            return {**_NOTHING, "binds": METADATA_ONLY}
        try:
            compile_path(self._shapes, self._message, (field,))((value,))
        except TranscodeError as error:
            return {**self._field(field), "problem": error.message}
        return {**self._field(field), "problem": None}

    def body(self) -> dict[str, Any]:
        """What the body binds."""
        if self._body is None:
            return {"binds": None, "type": None}
        return {"binds": "*", "type": self._message} if self._body == "*" else self._field(self._body)

    def query_item(self, item: str) -> dict[str, Any]:
        """What a raw `key=value` binds."""
        key, _, value = map(unquote_plus, item.partition("="))
        problem = self._query_problem(item, key)
        binding = self._field(key) if problem is None else _NOTHING
        return {"key": key, "value": value, **binding, "problem": problem}

    def refusal(self, captures: Sequence[str], query: str) -> str | None:
        """What a client would read whose path or query cannot be bound."""
        try:
            if self._body != "*":
                self._bind_query(query)
            self._bind_path(captures)
        except TranscodeError as error:
            return error.message
        return None

    def _query_problem(self, item: str, key: str) -> str | None:
        if self._body == "*":
            return "not used: the body is the whole message"
        try:
            _, bound = self._bind_query(item)
            if not bound:
                self._shapes.field_path(self._message, key)
        except TranscodeError as error:
            return error.message
        except FieldPathError as error:
            return f"ignored: {error}"
        return None if bound else "not heard: the path or the body binds this field"

    def _field(self, path: str) -> dict[str, Any]:
        steps = self._shapes.field_path(self._message, path)
        return {"binds": ".".join(step.name for step in steps), "type": type_text(steps[-1])}
