"""What stands on standard error: whole lines, whatever is in them."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transcoder.observe.logs import MAX_EXCEPTION, MAX_VALUE, configure_logs, get_log

Style = Literal["json", "console"]
Configure = Callable[..., io.BytesIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configures the log to go to a buffer, and puts everything back in the end."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def configure(style: Style = "json", level: str = "info") -> io.BytesIO:
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stderr", SimpleNamespace(buffer=written))
        configure_logs(level, style)
        return written

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def records(written: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().decode().split("\n")[:-1]]


def record(written: io.BytesIO) -> dict[str, Any]:
    (one,) = records(written)
    return one


HOSTILE = "a\nb\r\nc\x1b[31m\x00\u2028\x85é"


def test_json_line(configure: Configure) -> None:
    written = configure()
    get_log().info("request", method="GET", status=200, duration_ms=1.5, route=None, problems=["a", "b"])
    line = record(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "status": 200,
        "duration_ms": 1.5,
        "route": None,
        "problems": ["a", "b"],
    }


def test_console_line(configure: Configure) -> None:
    written = configure("console")
    get_log().warning("backend unreachable", backend="shop", address="host:1", reason="two words", route=None)
    line = written.getvalue().decode()
    assert line.endswith(" warning backend unreachable  backend=shop address=host:1 reason='two words'\n")


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("place", ["value", "event", "list"])
def test_nothing_in_a_line_makes_another(configure: Configure, style: Style, place: str) -> None:
    written = configure(style)
    if place == "event":
        get_log().info(HOSTILE)
    else:
        get_log().info("request", value=HOSTILE if place == "value" else [HOSTILE])
    text = written.getvalue().decode()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "\x1b" not in text
    assert "\r" not in text
    if style == "console":
        assert len(text.splitlines()) == 1


def test_hostile_values_are_kept_as_they_are_in_json(configure: Configure) -> None:
    written = configure()
    get_log().info("request", value=HOSTILE)
    assert record(written)["value"] == HOSTILE


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("value", ["\udcff", ["\udcff"], {"k": "\ud800"}])
def test_lone_surrogates(configure: Configure, style: Style, value: Any) -> None:
    """Header bytes outside UTF-8 become such; the rest of the line is not touched."""
    written = configure(style)
    get_log().info("request", value=value, status=200, method="GET", route=None)
    text = written.getvalue().decode()
    assert text.count("\n") == 1
    assert "\\ud" in text
    if style == "json":
        line = record(written)
        assert (line["event"], line["status"], line["method"], line["route"]) == ("request", 200, "GET", None)


@pytest.mark.parametrize("style", ["json", "console"])
def test_long_values_are_cut(configure: Configure, style: Style) -> None:
    written = configure(style)
    get_log().info("e" * 1_000_000, value="v" * 1_000_000, exact="x" * MAX_VALUE)
    text = written.getvalue().decode()
    assert len(text) < 4 * MAX_VALUE
    assert f"{'v' * MAX_VALUE}... (1000000 characters)" in text
    assert f"{'e' * MAX_VALUE}... (1000000 characters)" in text
    assert f"{'x' * (MAX_VALUE + 1)}" not in text
    assert "x" * MAX_VALUE in text


def _fail(text: str) -> None:
    raise RuntimeError(text)


def failure(text: str) -> Exception:
    with pytest.raises(RuntimeError) as caught:
        _fail(text)
    return caught.value


def test_traceback_in_json(configure: Configure) -> None:
    written = configure()
    get_log().error("unexpected error", request_id="r", exc_info=failure("what\nhappened"))
    line = record(written)
    assert "Traceback (most recent call last)" in line["exception"]
    assert "_fail" in line["exception"]
    assert line["exception"].endswith("RuntimeError: what\nhappened")
    assert "exc_info" not in line


def test_traceback_on_a_console_cannot_pass_for_lines(configure: Configure) -> None:
    written = configure("console")
    get_log().error("unexpected error", exc_info=failure("x\n2026-01-01 info  forged\x1b[31m"))
    first, *others = written.getvalue().decode().splitlines()
    assert first.endswith("unexpected error  ")
    assert others[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in others)
    assert others[-1] == "    2026-01-01 info  forged\\x1b[31m"


def test_long_tracebacks_are_cut(configure: Configure) -> None:
    written = configure()
    get_log().error("unexpected error", exc_info=failure("y" * 1_000_000))
    assert len(record(written)["exception"]) == MAX_EXCEPTION


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level(configure: Configure, level: str, expected: list[str]) -> None:
    written = configure(level=level)
    log = get_log()
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("event")
    assert [line["level"] for line in records(written)] == expected


def test_libraries_are_heard(configure: Configure) -> None:
    written = configure()
    library = logging.getLogger("some.library")
    library.info("chatter")
    library.warning("watch %s\n", "out")
    library.error("failed", exc_info=failure("why"))
    warning, error = records(written)
    assert (warning["event"], warning["logger"], warning["level"]) == (
        "watch out\n",
        "some.library",
        "warning",
    )
    assert (error["event"], error["level"]) == ("failed", "error")
    assert error["exception"].endswith("RuntimeError: why")
    assert "exception" not in warning


def test_libraries_are_held_to_the_level(configure: Configure) -> None:
    written = configure(level="error")
    logging.getLogger("some.library").warning("watch out")
    assert written.getvalue() == b""


@pytest.mark.parametrize(("number", "level"), [(35, "warning"), (45, "error"), (99, "critical")])
def test_levels_of_libraries_own_making(configure: Configure, number: int, level: str) -> None:
    written = configure()
    logging.getLogger("some.library").log(number, "note")
    assert (record(written)["event"], record(written)["level"]) == ("note", level)


@pytest.mark.parametrize("number", [1, 5])
def test_levels_below_all(configure: Configure, number: int) -> None:
    """A logger of its own level lets them through; the level of the log still counts."""
    written = configure()
    library = logging.getLogger("some.chatty.library")
    library.setLevel(1)
    library.log(number, "note")
    assert written.getvalue() == b""


def test_arguments_that_do_not_fit_a_message(configure: Configure) -> None:
    """A mistake of a library must not become an exception of the request that met it."""
    written = configure()
    logging.getLogger("some.library").warning("watch %d", "out")
    assert record(written)["event"] == "watch %d"


def test_exc_info_without_an_exception(configure: Configure) -> None:
    written = configure()
    logging.getLogger("some.library").warning("watch out", exc_info=True)
    assert "exception" not in record(written)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(alphabet=st.characters(codec=None), max_size=20),
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(alphabet=st.characters(codec=None), max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    style=st.sampled_from(["json", "console"]),
)
def test_whatever_is_logged_is_one_line(configure: Configure, text: str, value: Any, style: Style) -> None:
    written = configure(style)
    get_log().info(text, value=value)
    line = written.getvalue().decode()
    assert line.count("\n") == 1
    assert line.endswith("\n")
    if style == "json":
        assert json.loads(line)["level"] == "info"
