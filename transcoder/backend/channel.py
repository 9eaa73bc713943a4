"""Channels to backends: everything grpc is told about a connection."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from transcoder import __version__
from transcoder.config.files import certificate_files
from transcoder.config.model import RetryConfig, ServiceConfig, TlsConfig

INITIAL_BACKOFF: Final = 200
MAX_BACKOFF: Final = 1_500
"""Milliseconds between attempts to reach a backend that is down, give or take a fifth; grpc's own ceiling is
two minutes. A backend that is back serves within 2 s."""

DNS_PAUSE: Final = 1_000
"""Milliseconds between two resolutions of a name, which is resolved when a connection is lost; grpc's own
pause is 30 s."""

MAX_METADATA: Final = 64 * 1024
"""Bytes of response metadata, messages and details of errors included. grpc's own limits are 8 KiB, above
which it refuses by lot, and 16 KiB, above which it refuses all."""

LOOKAHEAD: Final = 256 * 1024
"""Bytes a backend may send of a stream before its client has read them. By grpc's own estimate, which grows
with the traffic, each client that stops reading costs 5 to 35 MB."""

QUIET_KEEPALIVE: Final = 360.0
MAX_SILENCE: Final = 120.0
"""Seconds between pings of a backend that may say nothing for longer than this. gRPC servers give a
connection up that is pinged more than twice while they say nothing, unless five minutes pass between."""

RETRY_BUDGET: Final = {"maxTokens": 1000, "tokenRatio": 0.1}
"""A failure takes a token, a success gives a tenth back, and below half of them nothing is tried again:
enough for what is in flight when a backend restarts, and then a tenth of what succeeds (gRFC A6)."""

OUTLIERS: Final = {
    "interval": "5s",
    "baseEjectionTime": "10s",
    "maxEjectionTime": "60s",
    "maxEjectionPercent": 50,
    "failurePercentageEjection": {
        "threshold": 50,
        "enforcementPercentage": 100,
        "minimumHosts": 2,
        "requestVolume": 10,
    },
}
"""Of several addresses, one where half of its calls fail is left out for a while (gRFC A50)."""


def open_channel(
    config: ServiceConfig, *, owner: str = "", retries: RetryConfig | None = None
) -> grpc.aio.Channel:
    """A channel to `config.address`; nothing is connected until the first call.

    owner: channels of one owner share their connections, and with nobody else. retries: of every call.
    Raises OSError when a certificate cannot be read.
    """
    options = channel_options(config, owner, retries)
    if config.tls is None:
        return grpc.aio.insecure_channel(config.address, options=options)
    return grpc.aio.secure_channel(config.address, _credentials(config.tls), options=options)


def channel_options(
    config: ServiceConfig, owner: str = "", retries: RetryConfig | None = None
) -> list[tuple[str, Any]]:
    """Channel arguments of a backend (names: grpc/impl/channel_arg_names.h)."""
    options: list[tuple[str, Any]] = [
        ("grpc.primary_user_agent", f"transcoder/{__version__}"),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", config.max_message_size),
        ("grpc.max_send_message_length", config.max_message_size),
        ("grpc.max_metadata_size", MAX_METADATA),
        ("grpc.absolute_max_metadata_size", MAX_METADATA),
        ("grpc.keepalive_time_ms", _ms(_keepalive_time(config))),
        ("grpc.keepalive_timeout_ms", _ms(config.keepalive.timeout)),
        # without it a frozen peer is not noticed
        ("grpc.http2.ping_timeout_ms", _ms(config.keepalive.timeout)),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", LOOKAHEAD),
        ("grpc.initial_reconnect_backoff_ms", INITIAL_BACKOFF),
        ("grpc.max_reconnect_backoff_ms", MAX_BACKOFF),
        # an argument of our own: grpc shares connections between channels whose arguments are the same
        ("transcoder.owner", owner),
        ("grpc.dns_min_time_between_resolutions_ms", DNS_PAUSE),
        ("grpc.service_config", json.dumps(service_config(config, retries))),
        ("grpc.service_config_disable_resolution", 1),
    ]
    if config.tls is not None and config.tls.server_name:
        options.append(("grpc.ssl_target_name_override", config.tls.server_name))
    return options


def _keepalive_time(config: ServiceConfig) -> float:
    """What is configured, else it depends on the looks at the schema, which make a backend say something."""
    is_looked_at = config.descriptor_set is None and config.refresh_interval <= MAX_SILENCE
    if is_looked_at or "time" in config.keepalive.model_fields_set:
        return config.keepalive.time
    return QUIET_KEEPALIVE


def service_config(config: ServiceConfig, retries: RetryConfig | None = None) -> dict[str, Any]:
    """The grpc service config. It holds no timeout: that fires early, deadlines are set per call."""
    document: dict[str, Any] = {"loadBalancingConfig": [_load_balancing(config)]}
    if config.health_check:
        document["healthCheckConfig"] = {"serviceName": ""}
    if retries is not None:
        document["methodConfig"] = [{"name": [{}], "retryPolicy": _retry_policy(retries)}]
        document["retryThrottling"] = RETRY_BUDGET
    return document


def _load_balancing(config: ServiceConfig) -> dict[str, Any]:
    if config.load_balancing == "pick_first" and not config.health_check:
        return {"pick_first": {}}
    # health is not looked at under pick_first; with one address the two policies are the same
    return {"outlier_detection_experimental": {**OUTLIERS, "childPolicy": [{"round_robin": {}}]}}


def _retry_policy(retries: RetryConfig) -> dict[str, Any]:
    return {
        "maxAttempts": retries.max_attempts,
        "initialBackoff": f"{retries.initial_backoff}s",
        "maxBackoff": f"{retries.max_backoff}s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": _retried(retries.status_codes),
    }


def _retried(codes: Sequence[str]) -> list[str]:
    """With UNAVAILABLE, CANCELLED: so say servers in C++ and Python that stop before they begin a call.

    What the gateway cancels itself grpc never makes again.
    """
    return [*codes, "CANCELLED"] if "UNAVAILABLE" in codes and "CANCELLED" not in codes else [*codes]


def certificates_of(config: ServiceConfig) -> bytes:
    """A digest of what the files of a backend's TLS hold now."""
    digest = hashlib.sha256()
    for path in certificate_files(config):
        with suppress(OSError):  # the channel says so when it is made
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def _credentials(tls: TlsConfig) -> grpc.ChannelCredentials:
    def read(path: Path | None) -> bytes | None:
        return path.read_bytes() if path else None

    return grpc.ssl_channel_credentials(read(tls.ca), read(tls.key), read(tls.cert))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
