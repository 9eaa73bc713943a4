"""Channels to backends: everything grpc is told about a connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio

from transcoder import __version__
from transcoder.config.model import ServiceConfig, TlsConfig

INITIAL_BACKOFF: Final = 200
MAX_BACKOFF: Final = 1_500
"""Milliseconds between attempts to reach a backend that is down, give or take a fifth; grpc's own ceiling is
two minutes. A backend that is back serves within 2 s."""


def open_channel(config: ServiceConfig) -> grpc.aio.Channel:
    """A channel to `config.address`; nothing is connected until the first call.

    Raises OSError when a certificate cannot be read.
    """
    options = channel_options(config)
    if config.tls is None:
        return grpc.aio.insecure_channel(config.address, options=options)
    return grpc.aio.secure_channel(config.address, _credentials(config.tls), options=options)


def channel_options(config: ServiceConfig) -> list[tuple[str, Any]]:
    """Channel arguments of a backend (names: grpc/impl/channel_arg_names.h)."""
    options: list[tuple[str, Any]] = [
        ("grpc.primary_user_agent", f"transcoder/{__version__}"),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", config.max_message_size),
        ("grpc.max_send_message_length", config.max_message_size),
        ("grpc.keepalive_time_ms", _ms(config.keepalive.time)),
        ("grpc.keepalive_timeout_ms", _ms(config.keepalive.timeout)),
        # without it a frozen peer is not noticed
        ("grpc.http2.ping_timeout_ms", _ms(config.keepalive.timeout)),
        ("grpc.initial_reconnect_backoff_ms", INITIAL_BACKOFF),
        ("grpc.max_reconnect_backoff_ms", MAX_BACKOFF),
        # a backend's connection is its own, also beside the one of an older configuration
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.service_config", json.dumps(service_config(config))),
        ("grpc.service_config_disable_resolution", 1),
    ]
    if config.tls is not None and config.tls.server_name:
        options.append(("grpc.ssl_target_name_override", config.tls.server_name))
    return options


def service_config(config: ServiceConfig) -> dict[str, Any]:
    """The grpc service config. It holds no timeout: that fires early, deadlines are set per call."""
    document: dict[str, Any] = {"loadBalancingConfig": [{config.load_balancing: {}}]}
    if config.health_check:
        document["healthCheckConfig"] = {"serviceName": ""}
    return document


def _credentials(tls: TlsConfig) -> grpc.ChannelCredentials:
    def read(path: Path | None) -> bytes | None:
        return path.read_bytes() if path else None

    return grpc.ssl_channel_credentials(read(tls.ca), read(tls.key), read(tls.cert))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
