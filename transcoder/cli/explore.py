"""What a server offers, read by reflection: its services and methods, their declarations, the descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from transcoder.cli.proto import Symbol, proto_text
from transcoder.cli.target import Target
from transcoder.schema.schema import MethodShape, Schema, SchemaError


async def read_schema(target: Target) -> Schema:
    """The schema of a server; what is missing from it is said on stderr."""
    async with target.connect() as client:
        schema = await client.schema()
    for problem in schema.problems:
        click.echo(f"transcoder: {problem}", err=True)
    return schema


async def list_names(target: Target, service: str | None) -> None:
    """Print the services of a server, or the methods of one."""
    schema = await read_schema(target)
    names = sorted(schema.services)
    if service is not None:
        names = [method.full_name for method in _methods(schema, service)]
    for name in names:
        click.echo(name)


async def describe(target: Target, name: str) -> None:
    """Print the declaration of a service, method, message or enum."""
    schema = await read_schema(target)
    click.echo(proto_text(_symbol(schema, name), schema.shapes))


async def save_descriptors(target: Target, file: Path) -> None:
    """Write the schema as a FileDescriptorSet; the file `-` is stdout."""
    data = (await read_schema(target)).descriptor_set()
    with click.open_file(str(file), "wb") as out:
        out.write(data)


def find_method(schema: Schema, name: str) -> MethodShape:
    """A method by `pkg.Service/Method` or `pkg.Service.Method`; the service's name may be the short one."""
    service, _, method = _dotted(name).rpartition(".")
    if not service:
        raise click.ClickException(f"{name!r} is no method: expected pkg.Service/Method")
    try:
        return schema.method(service, method)
    except SchemaError as error:
        raise click.ClickException(str(error)) from error


def _methods(schema: Schema, service: str) -> list[MethodShape]:
    try:
        return list(schema.service(_dotted(service)).methods.values())
    except SchemaError as error:
        raise click.ClickException(str(error)) from error


def _symbol(schema: Schema, name: str) -> Symbol:
    for full_name in _full_names(schema, _dotted(name)):
        pool = schema.shapes.pool
        for find in (
            pool.FindServiceByName,
            pool.FindMethodByName,
            pool.FindMessageTypeByName,
            pool.FindEnumTypeByName,
        ):
            with suppress(KeyError):
                return find(full_name)
    raise click.ClickException(f"the server has no service, method, message or enum {name!r}")


def _full_names(schema: Schema, name: str) -> Iterator[str]:
    """What a name may stand for: itself, or a service or a method whose service is named in short."""
    yield name
    with suppress(SchemaError):
        yield schema.service(name).full_name
    with suppress(SchemaError):
        service, _, method = name.rpartition(".")
        yield f"{schema.service(service).full_name}.{method}"


def _dotted(name: str) -> str:
    return name.lstrip("./").replace("/", ".")
