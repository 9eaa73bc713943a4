"""Backends and what they offer, as operators see them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transcoder.backend.backend import Backend
from transcoder.errors import NOT_FOUND, TranscodeError
from transcoder.inspection.inspected import Inspected, backend_of
from transcoder.inspection.routes import SERVED, describe_route, winners_of
from transcoder.plan.plan import Route, Snapshot
from transcoder.resilience.protection import Protection
from transcoder.schema.example import describe, example
from transcoder.schema.schema import MethodShape, Schema, SchemaError


def list_services(gateway: Inspected) -> dict[str, Any]:
    """Every backend: `{"services": [...]}`, each as `describe_service` describes it."""
    return {"services": [_service(gateway, backend) for backend in gateway.backends.values()]}


def describe_service(gateway: Inspected, name: str) -> dict[str, Any]:
    """A backend: where it is, whether it is connected, and which schema was read from it.

    state: `unused`, or a connectivity state of gRPC; circuit_breaker: its `state` and its `failures` within
    the window, None if there is none; reflection: `v1`, `v1alpha` or `descriptor_set`, None until the schema
    is read, as are fingerprint, services and methods (counts); last_error: why the last look at it failed;
    problems: what is missing from it, a sentence each. Raises TranscodeError (NOT_FOUND).
    """
    return _service(gateway, backend_of(gateway, name))


async def list_methods(gateway: Inspected, name: str) -> dict[str, Any]:
    """Every method of a backend, whether or not a route leads to it: `{"service", "methods": [...]}`.

    The schema is read if it never was. Raises TranscodeError (NOT_FOUND, SERVICE_UNAVAILABLE).
    """
    schema = await backend_of(gateway, name).current_schema()
    bindings = _bindings(gateway.snapshot, name, schema)
    return {
        "service": name,
        "methods": [_method(method, bindings.get(method.full_name, ())) for method in schema.methods()],
    }


async def describe_type(gateway: Inspected, name: str, type_name: str) -> dict[str, Any]:
    """A message of a backend: `{"name", "fields": [...], "example"}`; the name may begin with a dot.

    The schema is read if it never was. Raises TranscodeError (NOT_FOUND, SERVICE_UNAVAILABLE).
    """
    shapes = (await backend_of(gateway, name).current_schema()).shapes
    full_name = type_name.removeprefix(".")
    try:
        return {**describe(shapes, full_name), "example": example(shapes, full_name)}
    except KeyError:
        raise TranscodeError(NOT_FOUND, f"service {name!r} has no message {full_name!r}") from None


async def descriptor_set(gateway: Inspected, name: str) -> bytes:
    """The schema of a backend as a serialized FileDescriptorSet, imports before importers.

    The schema is read if it never was. Raises TranscodeError (NOT_FOUND, SERVICE_UNAVAILABLE).
    """
    return (await backend_of(gateway, name).current_schema()).descriptor_set()


def _service(gateway: Inspected, backend: Backend) -> dict[str, Any]:
    schema = backend.schema
    return {
        "name": backend.name,
        "address": backend.config.address,
        "tls": backend.config.tls is not None,
        "expose": backend.config.expose,
        "state": backend.connection.state,
        "circuit_breaker": _breaker(gateway.protections[backend.name]),
        "reflection": schema.origin if schema else None,
        "fingerprint": schema.fingerprint if schema else None,
        "services": len(schema.services) if schema else None,
        "methods": sum(1 for _ in schema.methods()) if schema else None,
        "last_error": backend.last_error,
        "problems": list(_problems(backend, gateway.snapshot)),
    }


def _breaker(protection: Protection) -> dict[str, Any] | None:
    breaker = protection.breaker
    return None if breaker is None else {"state": breaker.state, "failures": breaker.recent_failures}


def _problems(backend: Backend, snapshot: Snapshot) -> Iterator[str]:
    if backend.schema is not None:
        yield from backend.schema.problems
    yield from snapshot.backends[backend.name].skipped


def _method(method: MethodShape, bindings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "full_name": method.full_name,
        "streaming": method.streaming,
        "input": method.request,
        "output": method.response,
        "bindings": bindings,
    }


def _bindings(snapshot: Snapshot, backend: str, schema: Schema) -> dict[str, list[dict[str, Any]]]:
    """The routes of a backend by the full name of the method they lead to."""
    winners = winners_of(snapshot)
    found = defaultdict(list)
    for route in snapshot.routes:
        if route.info.backend == backend and (method := _full_name(route, schema)):
            described = describe_route(route, winners)
            found[method].append(
                {
                    "http_method": route.info.http_method,
                    "path": route.info.template,
                    "origin": route.info.origin,
                    "route": route.info.name,
                    "served": described["state"] == SERVED,
                    "problem": described["problem"],
                }
            )
    return found


def _full_name(route: Route, schema: Schema) -> str | None:
    """The method of a route; one that is not served may name it short, or wrongly."""
    service, _, name = route.info.method.partition("/")
    try:
        return schema.method(service, name).full_name
    except SchemaError:
        return None
