"""Every parser of what others send, with any bytes and with damaged good ones: it refuses, or it takes them.

`scripts/fuzz` feeds the same targets for longer, and looks at what code they reach.
"""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, Target

DAMAGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=3)), max_size=4)


def damaged(seed: bytes, damage: tuple[int, int, bytes]) -> bytes:
    place, left_out, put = damage
    return seed[:place] + put + seed[place + left_out :]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds(target: Target) -> None:
    for seed in target.seeds:
        target.feed(seed)
    target.feed(b"")


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@given(st.data())
def test_any_bytes(target: Target, data: st.DataObject) -> None:
    target.feed(data.draw(st.binary(max_size=200)))
    target.feed(reduce(damaged, data.draw(DAMAGES), data.draw(st.sampled_from(target.seeds))))
