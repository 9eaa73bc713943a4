"""The command line of the benchmarks; `scripts/bench` installs what they need first."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import orjson
from rich.console import Console

from benchmarks.cells import CONNECTIONS, WORKLOADS, matrix
from benchmarks.growth.connections import measure_connections
from benchmarks.growth.routes import measure_routes
from benchmarks.growth.schemas import measure_schemas
from benchmarks.growth.series import Growth
from benchmarks.growth.sizes import measure_sizes
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.plots import draw_costs, draw_growth
from benchmarks.profile import record
from benchmarks.profile import to_table as profile_table
from benchmarks.report import to_json, to_markdown, to_table
from benchmarks.rounds import measure_rounds
from benchmarks.shop.build import build
from benchmarks.targets import (
    DIRECT,
    ENVOY,
    GATEWAY,
    NAIVE,
    Site,
    running_backend,
    running_server,
    running_targets,
)

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "transcoder-bench")
_WORKLOADS: Final = tuple(workload.name for workload in WORKLOADS)
_TARGETS: Final = (GATEWAY, ENVOY, NAIVE, DIRECT)
_GROWTHS: Final[Mapping[str, Callable[[Site, int], Growth]]] = {
    "sizes": measure_sizes,
    "routes": lambda _site, _seconds: measure_routes(),
    "schemas": lambda _site, _seconds: measure_schemas(),
    "connections": measure_connections,
}
_WIDTH: Final = 120
_AUTH: Final = {"none": [False], "jwt": [True], "both": [False, True]}

output_option = click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("benchmarks/results"),
    show_default=True,
    help="Folder for results and logs.",
)
envoy_option = click.option(
    "--envoy",
    type=click.Path(path_type=Path, dir_okay=False),
    default=CACHE / "envoy" / "bin" / "envoy",
    help="The program, where it is not the one scripts/bench installs.",
)
quick_option = click.option("--quick", is_flag=True, help="One short round: to see whether something moves.")


@click.group()
def bench() -> None:
    """Measure the gateway beside what one would use instead of it."""


@bench.command()
@quick_option
@click.option("--rounds", type=click.IntRange(1), help="How often everything is measured [5].")
@click.option("--seconds", type=click.IntRange(1), help="Of load for each target in each cell [2].")
@click.option("--workload", "workloads", type=click.Choice(_WORKLOADS), multiple=True, default=_WORKLOADS)
@click.option("--connections", type=click.IntRange(1, 5000), multiple=True, default=CONNECTIONS)
@click.option("--auth", type=click.Choice([*_AUTH]), default="both")
@click.option("--target", "targets", type=click.Choice(_TARGETS), multiple=True, default=_TARGETS)
@output_option
@envoy_option
def compare(
    *,
    quick: bool,
    rounds: int | None,
    seconds: int | None,
    workloads: Sequence[str],
    connections: Sequence[int],
    auth: str,
    targets: Sequence[str],
    output: Path,
    envoy: Path,
) -> None:
    """The gateway, Envoy, a hand-written route and a gRPC client under the same load; the default command.

    \b
    scripts/bench                                              about 20 minutes
    scripts/bench --quick --workload small --connections 32    about 10 seconds
    """
    rounds, seconds = rounds or (1 if quick else 5), seconds or (1 if quick else 2)
    cells = list(matrix(workloads, connections, _AUTH[auth]))
    about = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "versions": describe_versions(envoy if ENVOY in targets else None),
        "settings": {"rounds": rounds, "seconds": seconds},
    }
    with site_at(output, envoy) as site, running_targets(site, targets, _AUTH[auth]) as running:
        rows = measure_rounds(cells, running, rounds=rounds, seconds=seconds, tell=tell)
    Console(width=_WIDTH).print(to_table(rows))
    (output / "performance.json").write_bytes(to_json(rows, about))
    (output / "tables.md").write_text(to_markdown(rows))
    draw_costs(rows, output / "performance.png")
    tell(f"results: {output}/performance.{{json,png}}, {output}/tables.md")


@bench.command()
@click.argument("subjects", nargs=-1, type=click.Choice(_GROWTHS))
@quick_option
@output_option
@envoy_option
def growth(*, subjects: Sequence[str], quick: bool, output: Path, envoy: Path) -> None:
    """How cost grows with messages, routes, schemas and connections: a picture of each, or of those named."""
    with site_at(output, envoy) as site:
        for subject in subjects or _GROWTHS:
            tell(f"growth: {subject}")
            measured = _GROWTHS[subject](site, 1 if quick else 4)
            draw_growth(measured, output / f"growth-{subject}.png")
            document = orjson.dumps(measured, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            (output / f"growth-{subject}.json").write_bytes(document)
    tell(f"results: {output}/growth-*.{{json,png}}")


@bench.command()
@click.option("--workload", type=click.Choice(_WORKLOADS), default="small")
@click.option("--connections", type=click.IntRange(1), default=32)
@click.option("--seconds", type=click.IntRange(1), default=10)
@click.option("--auth/--no-auth", default=False)
@output_option
@envoy_option
def profile(*, workload: str, connections: int, seconds: int, auth: bool, output: Path, envoy: Path) -> None:
    """Where the gateway's time goes under one load, by py-spy, which may need to be root."""
    (cell,) = matrix([workload], [connections], [auth])
    with site_at(output, envoy) as site, running_server(site, GATEWAY, has_auth=auth) as server:
        seen = record(server, cell, seconds, output / "profile.txt")
    Console(width=_WIDTH).print(profile_table(seen, most=40))


@contextmanager
def site_at(output: Path, envoy: Path) -> Iterator[Site]:
    """The backend, built and running, and a folder for results and one for logs within."""
    folder = output / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    tell("building the backend, unless it is built")
    built = build(CACHE)
    with running_backend(built.program) as port:
        yield Site(backend=port, built=built, envoy=envoy, folder=folder)


def tell(text: str) -> None:
    """Progress goes where it does not mix with results."""
    click.echo(text, err=True)


def main(arguments: Sequence[str]) -> None:
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--help"):
        arguments = ["compare", *arguments]
    bench.main(list(arguments), prog_name="scripts/bench")


if __name__ == "__main__":
    main(sys.argv[1:])
