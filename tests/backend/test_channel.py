"""What grpc is told about a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from transcoder.backend.channel import channel_options, service_config
from transcoder.config.model import RetryConfig, ServiceConfig


def config(**keys: Any) -> ServiceConfig:
    return ServiceConfig.model_validate({"address": "localhost:1", **keys})


def test_defaults() -> None:
    options = dict(channel_options(config()))
    assert options["grpc.enable_http_proxy"] == 0
    assert options["grpc.max_receive_message_length"] == 10 * 1024 * 1024
    assert options["grpc.max_send_message_length"] == 10 * 1024 * 1024
    assert options["grpc.max_reconnect_backoff_ms"] <= 3_000
    assert options["grpc.service_config_disable_resolution"] == 1
    assert "grpc.ssl_target_name_override" not in options


def test_frozen_peer_is_noticed() -> None:
    """The two keepalive settings alone do not: the ping needs a timeout of its own."""
    options = dict(channel_options(config(keepalive={"time": "40s", "timeout": "7500ms"})))
    assert options["grpc.keepalive_time_ms"] == 40_000
    assert options["grpc.keepalive_timeout_ms"] == 7_500
    assert options["grpc.http2.ping_timeout_ms"] == 7_500
    assert not options.get("grpc.keepalive_permit_without_calls")


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({}, 30),
        ({"refresh_interval": "2m"}, 30),
        ({"refresh_interval": "5m"}, 360),
        ({"descriptor_set": __file__}, 360),
        ({"descriptor_set": __file__, "keepalive": {"timeout": "5s"}}, 360),
        ({"descriptor_set": __file__, "keepalive": {"time": "30s"}}, 30),
    ],
)
def test_backend_that_may_be_silent_for_long_is_not_pinged_more_often_than_it_allows(
    keys: dict[str, Any], seconds: int
) -> None:
    """gRPC's servers cut a stream that is silent for three minutes if they are pinged every 30 s."""
    assert dict(channel_options(config(**keys)))["grpc.keepalive_time_ms"] == seconds * 1000


@pytest.mark.parametrize("policy", ["pick_first", "round_robin"])
@pytest.mark.parametrize("is_checked", [True, False])
def test_service_config(policy: str, is_checked: bool) -> None:
    settings = config(load_balancing=policy, health_check=is_checked)
    document = service_config(settings)
    (balancing,) = document["loadBalancingConfig"]
    if policy == "pick_first" and not is_checked:
        assert balancing == {"pick_first": {}}
    else:  # grpc does not look at health under pick_first
        assert balancing["outlier_detection_experimental"]["childPolicy"] == [{"round_robin": {}}]
    assert document.get("healthCheckConfig") == ({"serviceName": ""} if is_checked else None)
    assert json.loads(dict(channel_options(settings))["grpc.service_config"]) == document


def test_no_timeout_in_the_service_config() -> None:
    """grpc fires it more than a second early."""
    assert "timeout" not in json.dumps(service_config(config(timeout="5s"))).lower()


@pytest.mark.parametrize(
    ("codes", "retried"),
    [
        (["UNAVAILABLE"], ["UNAVAILABLE", "CANCELLED"]),
        (["CANCELLED", "UNAVAILABLE"], ["CANCELLED", "UNAVAILABLE"]),
        (["ABORTED"], ["ABORTED"]),
    ],
)
def test_calls_that_a_stopping_server_never_begins_are_made_again(
    codes: list[str], retried: list[str]
) -> None:
    """Such servers say CANCELLED, and mean UNAVAILABLE."""
    retries = RetryConfig.model_validate({"status_codes": codes})
    (method,) = service_config(config(), retries)["methodConfig"]
    assert method["retryPolicy"]["retryableStatusCodes"] == retried
