"""Durations, sizes and rates: what is read, and that it is written back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcoder.config.values import (
    Rate,
    format_duration,
    format_size,
    mask_userinfo,
    parse_duration,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("250ms", 0.25),
        ("70ms", 0.07),
        ("0.5ms", 0.0005),
        ("1.5s", 1.5),
        ("30s", 30.0),
        ("60s", 60.0),
        ("5m", 300.0),
        ("90s", 90.0),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(0.25, "250ms"), (1.0, "1s"), (60.0, "60s"), (600.0, "10m")])
def test_duration_is_written_as_people_do(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_an_hour() -> None:
    assert parse_duration("1h") == parse_duration("60m") == 3600


@pytest.mark.parametrize(
    "value", ["", "s", "30", "-1s", "1 s", "1s\n", "1e3s", "١s", "1S", "1m30s", 30, 1.5, None]
)
def test_no_duration(value: object) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 250ms, 30s or 5m"):
        parse_duration(value)


@given(st.integers(0, 604_800_000))
def test_every_duration_survives(milliseconds: int) -> None:
    seconds = parse_duration(f"{milliseconds}ms")
    assert parse_duration(format_duration(seconds)) == seconds == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "size"), [("1B", 1), ("1000B", 1000), ("512KiB", 1 << 19), ("4MiB", 4 << 20), ("1GiB", 1 << 30)]
)
def test_size(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert format_size(size) == text


@pytest.mark.parametrize("value", ["", "4", "4MB", "4mib", "1.5MiB", "-1B", "4 MiB", 4, None])
def test_no_size(value: object) -> None:
    with pytest.raises(ValueError, match="expected a size such as 512KiB or 4MiB"):
        parse_size(value)


@given(st.integers(1, (1 << 31) - 1))
def test_every_size_survives(size: int) -> None:
    assert parse_size(format_size(size)) == size


def test_rate() -> None:
    rate = parse_rate("100/minute")
    assert rate == Rate(requests=100, period="minute")
    assert rate.seconds == 60
    assert str(rate) == "100/minute"


@pytest.mark.parametrize("value", ["", "100", "0/minute", "5/minutes", "-1/day", 5])
def test_no_rate(value: object) -> None:
    with pytest.raises(ValueError, match="expected a rate such as 10/second or 100/minute"):
        parse_rate(value)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://user:pw@host:6379/0", "redis://***@host:6379/0"),
        ("https://host/a@b", "https://host/a@b"),
        ("memory", "memory"),
    ],
)
def test_password_in_a_url(url: str, masked: str) -> None:
    assert mask_userinfo(url) == masked
