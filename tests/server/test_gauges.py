"""What is true of a worker at this moment."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from transcoder.backend.connection import STATES
from transcoder.observe.catalogue import METRICS
from transcoder.server.gauges import Measured, worker_gauges


def backend(name: str, state: str, **facts: Any) -> Any:
    unread = {"schema": None, "read_at": None}
    return SimpleNamespace(name=name, connection=SimpleNamespace(state=state), **{**unread, **facts})


def worker(**facts: Any) -> Measured:
    issuers = [{"name": "fixed", "keys": 1, "age": None}, {"name": "url", "keys": 3, "age": 60.0}]
    schema = SimpleNamespace(fingerprint="0123456789abcdef", origin="v1alpha")
    one = SimpleNamespace(
        gateway=SimpleNamespace(
            snapshot=SimpleNamespace(generation=7),
            backends={
                "read": backend("read", "ready", schema=schema, read_at=time.monotonic() - 30),
                "new": backend("new", "unused"),
            },
            protections={
                "read": SimpleNamespace(breaker=SimpleNamespace(state="open")),
                "new": SimpleNamespace(breaker=None),
            },
            verifier=SimpleNamespace(describe=lambda: issuers),
            counters=SimpleNamespace(is_up=False),
        ),
        configuration=SimpleNamespace(is_current=False, taken_over_at=1000.0),
        started_at=900.0,
        is_ready=True,
    )
    vars(one).update(facts)
    return cast(Measured, one)


def gauges(subject: Measured) -> dict[tuple[str, ...], float]:
    found = list(worker_gauges(subject, "2"))
    samples = {(name, *labels): value for name, labels, value in found}
    assert len(samples) == len(found)
    for name, labels, value in found:
        assert METRICS[name].kind == "gauge"
        assert len(labels) == len(METRICS[name].labels)
        assert isinstance(value, float)
    return samples


def test_worker() -> None:
    found = gauges(worker())
    assert found["transcoder_worker_ready", "2"] == 1
    assert found["transcoder_snapshot_generation", "2"] == 7
    assert found["transcoder_process_start_time_seconds", "2"] == 900
    assert found["transcoder_config_last_reload_successful",] == 0
    assert found["transcoder_config_last_reload_success_timestamp_seconds",] == 1000
    assert gauges(worker(is_ready=False))["transcoder_worker_ready", "2"] == 0


def test_backends() -> None:
    found = gauges(worker())
    for name, state in (("read", "ready"), ("new", "unused")):
        states = {one: found["transcoder_backend_state", name, one] for one in STATES}
        assert {one for one, value in states.items() if value} == {state}
    assert found["transcoder_schema_info", "read", "0123456789ab", "v1alpha"] == 1
    age = time.time() - found["transcoder_schema_last_read_timestamp_seconds", "read"]
    assert 30 <= age < 35
    assert not [key for key in found if key[0].startswith("transcoder_schema") and "new" in key]


def test_breakers() -> None:
    found = gauges(worker())
    breakers = {key: value for key, value in found.items() if "breaker" in key[0]}
    name = "transcoder_circuit_breaker_state"
    assert breakers == {
        (name, "read", "closed"): 0,
        (name, "read", "open"): 1,
        (name, "read", "half-open"): 0,
    }


def test_issuers() -> None:
    found = gauges(worker())
    assert found["transcoder_jwks_keys", "url"] == 3
    assert found["transcoder_jwks_keys", "fixed"] == 1
    name = "transcoder_jwks_last_success_timestamp_seconds"
    assert 60 <= time.time() - found[name, "url"] < 65
    assert (name, "fixed") not in found
    assert not [key for key in gauges(worker(gateway=bare())) if "jwks" in key[0]]


@pytest.mark.parametrize("counters", [None, SimpleNamespace(is_up=None)])
def test_storage_of_limits(counters: Any) -> None:
    assert gauges(worker())["transcoder_rate_limit_storage_up",] == 0
    assert not [key for key in gauges(worker(gateway=bare(counters))) if "storage" in key[0]]


def bare(counters: Any = None) -> Any:
    """Without issuers and backends."""
    return SimpleNamespace(
        snapshot=SimpleNamespace(generation=1), backends={}, protections={}, verifier=None, counters=counters
    )
