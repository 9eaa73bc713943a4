from __future__ import annotations

import linecache
import traceback

import pytest

from transcoder.codec.generated import define

SOURCE = """\
def halve(value, divisor=divisor):
    return value / divisor  # on line two
"""


def test_a_function_is_made_over_its_constants() -> None:
    assert define("halve", "pkg.Half", SOURCE, {"divisor": 2})(8) == 4


def test_a_traceback_shows_the_line_and_what_it_was_made_for() -> None:
    halve = define("halve", "pkg.None", SOURCE, {"divisor": 0})
    with pytest.raises(ZeroDivisionError) as caught:
        halve(1)
    text = "".join(traceback.format_exception(caught.value))
    assert 'File "<generated> for pkg.None", line 2, in halve' in text
    assert "return value / divisor  # on line two" in text


def test_making_functions_leaves_nothing_behind_in_the_cache_of_lines() -> None:
    before = set(linecache.cache)
    define("halve", "pkg.Quiet", SOURCE, {"divisor": 2})(8)
    assert set(linecache.cache) == before
