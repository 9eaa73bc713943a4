"""The collector rests during work, and is left as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from transcoder.collector import uncollected


@pytest.fixture(params=[True, False], ids=["enabled", "disabled"])
def is_enabled(request: pytest.FixtureRequest) -> Iterator[bool]:
    if not request.param:
        gc.disable()
    yield request.param
    gc.enable()


def test_work(is_enabled: bool) -> None:
    assert uncollected(lambda *arguments: (gc.isenabled(), *arguments), 1, "2") == (False, 1, "2")
    assert gc.isenabled() is is_enabled


def test_work_that_fails(is_enabled: bool) -> None:
    with pytest.raises(ZeroDivisionError):
        uncollected(lambda: 1 / 0)
    assert gc.isenabled() is is_enabled
