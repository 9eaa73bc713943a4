"""How long a client is ready to wait."""

from __future__ import annotations

import pytest

from transcoder.errors import INVALID_ARGUMENT, TranscodeError
from transcoder.plan.deadline import client_timeout


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1H", 3600),
        ("2M", 120),
        ("3S", 3),
        ("250m", 0.25),
        ("250u", 0.00025),
        ("250n", 0.00000025),
        ("0S", 0),
        ("99999999H", 99999999 * 3600),
    ],
)
def test_grpc_timeout(value: str, seconds: float) -> None:
    assert client_timeout([("grpc-timeout", value)]) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["1.5", "1", "0", "0.001", "000000001.000000001"])
def test_request_timeout(value: str) -> None:
    assert client_timeout([("x-request-timeout", value)]) == float(value)


@pytest.mark.parametrize(
    "value", ["", "1", "S", "123456789S", "1s", "-1S", "1.5S", "1 S", " 1S", "1S\n", "١S", "1SS", "1S, 2S"]
)
def test_malformed_grpc_timeout(value: str) -> None:
    with pytest.raises(
        TranscodeError, match=r"^header grpc-timeout: expected 1 to 8 digits and H, M, S, m, u or n$"
    ) as caught:
        client_timeout([("grpc-timeout", value)])
    assert caught.value.kind is INVALID_ARGUMENT


@pytest.mark.parametrize(
    "value",
    ["", "1s", "-1", "+1", ".5", "1.", "1e3", "nan", "inf", "1,5", "1_0", " 1", "1\n", "١", "1234567890"],
)
def test_malformed_request_timeout(value: str) -> None:
    with pytest.raises(
        TranscodeError, match=r"^header x-request-timeout: expected seconds, such as 1\.5$"
    ) as caught:
        client_timeout([("x-request-timeout", value)])
    assert caught.value.kind is INVALID_ARGUMENT


def test_the_smaller_of_all_counts() -> None:
    headers = [("grpc-timeout", "3S"), ("x-request-timeout", "2"), ("grpc-timeout", "5S"), ("timeout", "1")]
    assert client_timeout(headers) == 2


def test_none_is_none() -> None:
    assert client_timeout([("x-timeout", "1")]) is None
