"""How long a client is ready to wait."""

from __future__ import annotations

import re
from typing import Final

from transcoder.context import Headers
from transcoder.errors import INVALID_ARGUMENT, TranscodeError

_GRPC_TIMEOUT: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
"""`grpc-timeout` of the gRPC over HTTP/2 specification: at most eight digits and a unit."""

_SECONDS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

_REQUEST_TIMEOUT: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def client_timeout(headers: Headers) -> float | None:
    """Seconds a request allows with `Grpc-Timeout` or `X-Request-Timeout`; the smaller if it has both.

    Raises TranscodeError (INVALID_ARGUMENT) when one is malformed.
    """
    timeouts = []
    for name, value in headers:
        if name == "grpc-timeout":
            timeouts.append(_grpc_timeout(value))
        elif name == "x-request-timeout":
            timeouts.append(_request_timeout(value))
    return min(timeouts, default=None)


def _grpc_timeout(value: str) -> float:
    match = _GRPC_TIMEOUT.fullmatch(value)
    if match is None:
        raise TranscodeError(
            INVALID_ARGUMENT, "header grpc-timeout: expected 1 to 8 digits and H, M, S, m, u or n"
        )
    return int(match[1]) * _SECONDS[match[2]]


def _request_timeout(value: str) -> float:
    if _REQUEST_TIMEOUT.fullmatch(value) is None:
        raise TranscodeError(INVALID_ARGUMENT, "header x-request-timeout: expected seconds, such as 1.5")
    return float(value)
