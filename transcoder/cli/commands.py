"""Every command with its options and help.

What a command needs is imported when it runs: help and completion must not wait for servers and schemas.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from transcoder import __version__

DEFAULT_CONFIG: Final = Path("config/config.yaml")

PORT: Final = click.IntRange(0, 65535)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Serve gRPC backends as HTTP/JSON: no generated code, only server reflection."""


@cli.command()
@click.option("--config", type=click.Path(path_type=Path), help=f"Configuration file [{DEFAULT_CONFIG}].")
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

    path = None if backends else str(_config(config))
    run(
        ServeOptions(
            path=path, backends=backends, host=host, port=port, workers=workers, admin_port=admin_port
        )
    )


@cli.command()
@click.option("--port", type=PORT, help="Port of the gateway [8080].")
@click.option("--admin-port", type=PORT, help="Port of the admin interface [9901].")
def demo(*, port: int | None, admin_port: int | None) -> None:
    """Run five demo backends and the gateway before them; Ctrl-C stops all of it.

    \b
    transcoder demo
    curl -d '{"email": "user@example.com", "password": "password123"}' \\
         http://127.0.0.1:8080/api/v1/auth/login
    """
    from transcoder.cli.demo import run_demo

    run_demo(port=port, admin_port=admin_port)


def _config(path: Path | None) -> Path:
    if path is None and not DEFAULT_CONFIG.is_file():
        raise click.ClickException(
            f"no {DEFAULT_CONFIG} here: name a file with --config, or a backend with --backend HOST:PORT"
        )
    return path or DEFAULT_CONFIG
