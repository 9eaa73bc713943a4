"""The commands about the gateway itself: serve, demo, check, routes, api-key."""

# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that help does not wait for it

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

DEFAULT_CONFIG: Final = Path("config/config.yaml")

PORT: Final = click.IntRange(0, 65535)


config_option = click.option(
    "--config", type=click.Path(path_type=Path), help=f"Configuration file [{DEFAULT_CONFIG}]."
)


@click.command()
@config_option
@click.option(
    "--backend",
    "backends",
    metavar="[NAME=]ADDRESS",
    multiple=True,
    help="Expose a backend without a file; repeatable.",
)
@click.option("--host", help="Listen here instead.")
@click.option("--port", type=PORT, help="Listen on this port instead.")
@click.option("--workers", type=click.IntRange(0), help="Worker processes; 0 is one per core.")
@click.option("--admin-port", type=PORT, help="Port of the admin interface instead.")
def serve(
    *,
    config: Path | None,
    backends: tuple[str, ...],
    host: str | None,
    port: int | None,
    workers: int | None,
    admin_port: int | None,
) -> None:
    """Run the gateway.

    \b
    transcoder serve
    transcoder serve --config gateway.yaml --workers 0
    transcoder serve --backend localhost:50051
    transcoder serve --backend orders=localhost:50051 --backend users=localhost:50052
    """
    if backends and config:
        raise click.UsageError("--backend and --config exclude each other")
    from transcoder.server.options import ServeOptions
    from transcoder.server.serve import serve as run

    path = None if backends else str(_existing(config, "a backend with --backend HOST:PORT"))
    run(
        ServeOptions(
            path=path, backends=backends, host=host, port=port, workers=workers, admin_port=admin_port
        )
    )


@click.command()
@click.option("--port", type=PORT, help="Port of the gateway [8080].")
@click.option("--admin-port", type=PORT, help="Port of the admin interface [9901].")
@click.option("--backend-ports", metavar="P,P,P,P,P", help="Ports of the backends; 0 takes a free one.")
def demo(*, port: int | None, admin_port: int | None, backend_ports: str | None) -> None:
    """Run five demo backends behind the gateway.

    Ctrl-C stops all of it.

    \b
    transcoder demo
    curl --json '{"email": "user@example.com", "password": "password123"}' \\
         http://127.0.0.1:8080/api/v1/auth/login
    """
    from transcoder.cli.demo import run_demo

    run_demo(port=port, admin_port=admin_port, backend_ports=backend_ports)


@click.command()
@config_option
@click.option("--live", is_flag=True, help="Ask the backends, too, whether each route can be served.")
def check(*, config: Path | None, live: bool) -> int:
    """Say everything that is wrong with the configuration.

    Exit code 0 means that nothing is.

    \b
    transcoder check
    transcoder check --config gateway.yaml --live
    """
    from transcoder.cli.check import check as run

    return asyncio.run(run(_existing(config), live=live))


@click.command()
@config_option
@click.option("--live", is_flag=True, help="Ask every backend, not only those that expose their methods.")
def routes(*, config: Path | None, live: bool) -> int:
    """Show every route that is in effect.

    \b
    transcoder routes
    transcoder routes --config gateway.yaml | grep orders
    """
    from transcoder.cli.routes import routes as run

    return asyncio.run(run(_existing(config), live=live))


@click.command("api-key")
def api_key() -> None:
    """Make an API key and its hash.

    The key goes to its owner and is shown nowhere else, the hash goes into the configuration.

    \b
    transcoder api-key
    """
    from transcoder.security.api_keys import new_key

    key, key_hash = new_key()
    click.echo(f"key: {key}\nhash: {key_hash}")


def _existing(config: Path | None, *instead: str) -> Path:
    if config is None and not DEFAULT_CONFIG.is_file():
        ways = ", or ".join(("a file with --config", *instead))
        raise click.ClickException(f"no {DEFAULT_CONFIG} here: name {ways}")
    return config or DEFAULT_CONFIG


GATEWAY_COMMANDS: Final = (serve, demo, check, routes, api_key)
