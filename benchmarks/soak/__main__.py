"""`scripts/soak`: the gateway under a load of every kind, while things happen to it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

import click
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.soak.asking import ASKS
from benchmarks.soak.client import Caller, Connection
from benchmarks.soak.events import Backend, Events, Happened
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.load import OPENED_PER_SECOND, Residents
from benchmarks.soak.notes import SIDES, Side, gateway_config
from benchmarks.soak.sampling import Sample, Sampler
from benchmarks.soak.verdict import Finding, growth, left_behind, problems
from benchmarks.soak.visitors import Visitors
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.tokens import bearer

_USERS: Final = 200
_VISITORS: Final = 20
_WARM_UP: Final = 50
_CALM_WITHIN: Final = 30.0
_LONGEST_END: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """minutes: of full load; rate: requests per second of those who stay; seed: of every choice."""

    minutes: float
    connections: int
    rate: float
    seed: int

    @property
    def full_at(self) -> float:
        """Seconds from the start until every connection is open."""
        return self.connections / OPENED_PER_SECOND

    @property
    def ends_at(self) -> float:
        return self.full_at + 60 * self.minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """What was seen. idle: before the first client; after: when the last one has gone."""

    plan: Plan
    ledger: Ledger
    happened: Sequence[Happened]
    samples: Sequence[Sample]
    idle: Sample
    after: Sample
    tracebacks: int

    @property
    def grown(self) -> list[Finding]:
        """Under full load and with every backend up: visitors of one that is down do not stay long."""
        full = [one for one in self.samples if self.plan.full_at <= one.at <= self.plan.ends_at]
        return growth([one for one in full if self.ledger.is_calm(one.at)])

    @property
    def left(self) -> list[Finding]:
        return left_behind(self.idle, self.after)

    @property
    def problems(self) -> list[str]:
        found = list(problems(self.ledger, self.grown, self.left))
        return [*found, f"{self.tracebacks} tracebacks in the log"] if self.tracebacks else found


async def soak(plan: Plan, folder: Path) -> Soak:
    """Run it all. folder: for the configuration. Raises TimeoutError when it does not come to its end."""
    async with asyncio.timeout(plan.ends_at + _LONGEST_END), _backends() as backends:
        config = gateway_config({side: backend.address for side, backend in backends.items()})
        async with running_gateway(config, folder) as gateway:
            return await _soak(plan, gateway, backends)


async def _soak(plan: Plan, gateway: RunningGateway, backends: dict[Side, Backend]) -> Soak:
    random = Random(plan.seed)
    callers = [_caller(gateway.url, number, plan.ends_at) for number in range(_USERS)]
    started = monotonic()
    ledger = Ledger(clock=lambda: monotonic() - started)
    await _warm_up(callers[0], ledger, random)
    sampler = Sampler(gateway=gateway, clock=ledger.clock)
    idle = await _calm(sampler, None)
    started = monotonic()
    ends_at = plan.ends_at
    residents = Residents(
        callers=callers,
        ledger=ledger,
        random=random,
        connections=plan.connections,
        rate=plan.rate,
        ends_at=ends_at,
    )
    visitors = Visitors(callers=callers, ledger=ledger, random=random, each=_VISITORS, ends_at=ends_at)
    events = Events(gateway=gateway, backends=backends, ledger=ledger, random=random, ends_at=ends_at)
    async with _sampled(sampler), asyncio.TaskGroup() as everything:
        for part in (residents.run(), visitors.run(), events.run()):
            everything.create_task(part)
    after = await _calm(sampler, idle)
    tracebacks = sum(line.startswith("Traceback") or '"exception"' in line for line in gateway.process.stderr)
    return Soak(
        plan=plan,
        ledger=ledger,
        happened=events.happened,
        samples=sampler.samples,
        idle=idle,
        after=after,
        tracebacks=tracebacks,
    )


@asynccontextmanager
async def _backends() -> AsyncIterator[dict[Side, Backend]]:
    backends = {side: Backend(side=side) for side in SIDES}
    try:
        for backend in backends.values():
            await backend.start()
        yield backends
    finally:
        for backend in backends.values():
            await backend.stop()


def _caller(url: str, number: int, lasts: float) -> Caller:
    user = f"user-{number}"
    token = bearer(sub=user, expires_in=lasts + _LONGEST_END)["Authorization"]
    return Caller(url=url, user=user, authorization=token)


async def _warm_up(caller: Caller, ledger: Ledger, random: Random) -> None:
    """What is made for the first requests belongs to what there is without any."""
    for kind, ask in ASKS.items():
        for number in range(_WARM_UP):
            side = SIDES[number % len(SIDES)]
            with ledger.entry(kind, side):
                connection = await Connection.open(caller.url)
                await ask(connection, caller, side, random)
                await connection.close()


async def _calm(sampler: Sampler, idle: Sample | None) -> Sample:
    """A sample once nothing is in flight and, if there was one before, no more is there than then."""
    deadline = monotonic() + _CALM_WITHIN
    while True:
        await asyncio.sleep(1)
        sample = await sampler.sample()
        is_calm = not sample.in_flight and (idle is None or all(f.is_good for f in left_behind(idle, sample)))
        if is_calm or monotonic() > deadline:
            return sample


@asynccontextmanager
async def _sampled(sampler: Sampler) -> AsyncIterator[None]:
    task = asyncio.create_task(sampler.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _requests_table(ledger: Ledger) -> Table:
    table = Table("requests", "right", "backend down", "lost")
    for kind in sorted({*ledger.right, *ledger.excused, *ledger.lost}):
        figures = (ledger.right[kind], ledger.excused[kind], ledger.lost[kind])
        table.add_row(kind, *(f"{figure:,}" for figure in figures))
    return table


def _findings_table(result: Soak) -> Table:
    table = Table("figure", "before", "after", "limit", "")
    for title, findings in (("", result.grown), (", all gone", result.left)):
        for one in findings:
            figures = (one.before, one.after, one.limit)
            table.add_row(
                one.figure + title,
                *(f"{figure:,.0f}" for figure in figures),
                "ok" if one.is_good else "TOO MUCH",
            )
    return table


def _write(result: Soak, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": describe_machine(),
        "plan": asdict(result.plan),
        "problems": result.problems,
        "grown": result.grown,
        "left": result.left,
        "right": result.ledger.right,
        "excused": result.ledger.excused,
        "lost": result.ledger.lost,
        "losses": result.ledger.losses,
        "outages": result.ledger.outages,
        "happened": result.happened,
        "samples": result.samples,
    }
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    (output / "soak.json").write_bytes(orjson.dumps(document, option=options))
    from benchmarks.soak.plot import draw  # noqa: PLC0415 - matplotlib is there only where pictures are drawn

    draw(result.samples, result.ledger, result.happened, output / "soak.png")


@click.command()
@click.option("--minutes", type=click.FloatRange(0.5, 60), default=10, show_default=True)
@click.option("--connections", type=click.IntRange(1, 10_000), default=2000, show_default=True)
@click.option("--rate", type=click.FloatRange(1), default=400, show_default=True, help="Requests per second.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("benchmarks/results")
)
def main(*, minutes: float, connections: int, rate: float, seed: int, output: Path) -> None:
    """Soak the gateway; exits with 1 when something was lost, grew or stayed behind."""
    plan = Plan(minutes=minutes, connections=connections, rate=rate, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(soak(plan, Path(folder)))
    _write(result, output)
    console = Console(width=100)
    console.print(_requests_table(result.ledger), _findings_table(result))
    for problem in result.problems:
        console.print(problem, markup=False)
    console.print(f"results: {output}/soak.json, {output}/soak.png")
    sys.exit(bool(result.problems))


if __name__ == "__main__":
    main(prog_name="scripts/soak")
