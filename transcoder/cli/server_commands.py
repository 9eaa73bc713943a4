"""The commands about any gRPC server with reflection: list, describe, call, descriptors."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help does not wait for it

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from transcoder.cli.target import Target

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)

_TARGET: Final = (
    click.argument("address"),
    click.option("--tls", is_flag=True, help="Use TLS; the options below ask for it, too."),
    click.option("--ca", type=FILE, help="PEM certificates to trust instead of the system's."),
    click.option("--cert", type=FILE, help="PEM certificate to show; with --key."),
    click.option("--key", type=FILE, help="PEM private key of --cert."),
    click.option("--server-name", metavar="NAME", help="Name expected in the server's certificate."),
    click.option(
        "-H", "headers", metavar="NAME:VALUE", multiple=True, help="Metadata to send, with reflection, too."
    ),
)


def _takes_target(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ADDRESS and the options around it, all of which it gets as its `target`."""

    @wraps(command)
    def with_target(
        *,
        address: str,
        tls: bool,
        ca: Path | None,
        cert: Path | None,
        key: Path | None,
        server_name: str | None,
        headers: tuple[str, ...],
        **options: Any,
    ) -> Any:
        from transcoder.cli.target import make_target

        target = make_target(
            address=address, tls=tls, ca=ca, cert=cert, key=key, server_name=server_name, headers=headers
        )
        return command(target=target, **options)

    wrapped: Callable[..., Any] = with_target
    for parameter in reversed(_TARGET):
        wrapped = parameter(wrapped)
    return wrapped


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    from transcoder.config.values import parse_duration

    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("list")
@_takes_target
@click.argument("service", required=False)
def list_command(*, target: Target, service: str | None) -> None:
    """List the services of a server, or the methods of one.

    \b
    transcoder list localhost:50052
    transcoder list localhost:50052 order.v1.OrderService
    """
    from transcoder.cli.explore import list_names

    asyncio.run(list_names(target, service))


@click.command()
@_takes_target
@click.argument("symbol")
def describe(*, target: Target, symbol: str) -> None:
    """Show how a service, method, message or enum is declared.

    \b
    transcoder describe localhost:50052 order.v1.OrderService
    transcoder describe localhost:50052 order.v1.OrderService/GetOrder
    transcoder describe localhost:50052 order.v1.Order
    """
    from transcoder.cli.explore import describe as run

    asyncio.run(run(target, symbol))


@click.command()
@_takes_target
@click.argument("method")
@click.option("-d", "data", metavar="JSON", default="", help="Request messages; @FILE reads a file, @ stdin.")
@click.option("--timeout", callback=_seconds, metavar="DURATION", help="Deadline of the call, such as 10s.")
def call(*, target: Target, method: str, data: str, timeout: float | None) -> int:
    """Call a method and print every answer as JSON.

    Of a call that fails, 64 + its gRPC status code is the exit code.

    \b
    transcoder call localhost:50052 order.v1.OrderService/GetOrder -d '{"orderId": "123"}' -H x-user-id:user-1
    transcoder call localhost:50052 OrderService/ListOrders -H x-user-id:user-1 --timeout 10s
    echo '{"n": 1} {"n": 2}' | transcoder call localhost:9000 pkg.Service/ClientStreaming -d @
    """
    from transcoder.cli.call import call as run

    return asyncio.run(run(target, method, data, timeout))


@click.command()
@_takes_target
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path, allow_dash=True),
    required=True,
    help="File, or - for stdout.",
)
def descriptors(*, target: Target, output: Path) -> None:
    """Save the schema of a server as a FileDescriptorSet.

    \b
    transcoder descriptors localhost:50052 -o orders.binpb
    """
    from transcoder.cli.explore import save_descriptors

    asyncio.run(save_descriptors(target, output))


SERVER_COMMANDS: Final = (list_command, describe, call, descriptors)
