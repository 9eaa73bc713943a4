"""The soak: that it runs, and that it would see what it looks for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from benchmarks.soak.__main__ import Plan, soak
from benchmarks.soak.asking import ASKS
from benchmarks.soak.client import Caller
from benchmarks.soak.ledger import RECOVERY, Ledger, UnavailableError, WrongAnswerError
from benchmarks.soak.sampling import Sample
from benchmarks.soak.verdict import growth, left_behind, problems

CALLER: Final = Caller(url="http://127.0.0.1:1", user="user-1", authorization="Bearer t")


def sample(**figures: int) -> Sample:
    calm = {"rss": 100 * 2**20, "fds": 2000, "threads": 12, "tasks": 100, "in_flight": 0, "requests": 0}
    return Sample(at=0.0, cpu=0.0, lag=0.0, **{**calm, **figures})


async def test_everything_is_asked_and_nothing_is_lost(tmp_path: Path) -> None:
    result = await soak(Plan(minutes=0.05, connections=20, rate=100, seed=1), tmp_path)
    assert result.ledger.losses == []
    assert {*ASKS, "whole stream", "left stream", "websocket", "cancelled call"} <= result.ledger.right.keys()
    assert [one.figure for one in result.left if not one.is_good] == []


@pytest.mark.parametrize("failure", [WrongAnswerError("other note"), ConnectionResetError(), TimeoutError()])
def test_nothing_excuses_wrong_answers_and_broken_connections(failure: Exception) -> None:
    ledger = Ledger(clock=lambda: 1.0)
    with ledger.outage("east"), ledger.entry("get", "east"):
        raise failure
    assert ledger.lost["get"] == 1
    assert [*problems(ledger, [], [])] != []


@pytest.mark.parametrize(("after", "excused"), [(RECOVERY - 1, 1), (RECOVERY + 1, 0)])
def test_backend_has_a_moment_to_recover(after: float, excused: int) -> None:
    now = [1.0]
    ledger = Ledger(clock=lambda: now[0])
    with ledger.outage("east"):
        pass
    now[0] += after
    for side in ("east", "west"):
        with ledger.entry("get", side):
            raise UnavailableError("503")
    assert (ledger.excused["get"], ledger.lost["get"]) == (excused, 2 - excused)


def test_answer_of_another_caller_is_wrong() -> None:
    CALLER.check("east", {"user": "user-1", "side": "east", "id": "7"}, id="7", number=0)
    for wrong in ({"user": "user-2"}, {"side": "west"}, {"id": "8"}, {"number": 1}):
        with pytest.raises(WrongAnswerError):
            CALLER.check("east", {"user": "user-1", "side": "east", "id": "7", **wrong}, id="7")


@pytest.mark.parametrize("figure", ["rss", "fds", "tasks", "threads"])
def test_growth_is_seen(figure: str) -> None:
    steady = [sample() for _ in range(50)]
    assert all(one.is_good for one in growth(steady))
    (value,) = {getattr(one, figure) for one in steady}
    growing = [sample(**{figure: value + 4 * value * number // 50}) for number in range(50)]
    assert [one.figure for one in growth(growing) if not one.is_good] == [figure]


@pytest.mark.parametrize("figure", ["in_flight", "fds", "tasks", "threads"])
def test_what_stays_behind_is_seen(figure: str) -> None:
    after = sample(**{figure: getattr(sample(), figure) + 20})
    assert [one.figure for one in left_behind(sample(), after) if not one.is_good] == [figure]
