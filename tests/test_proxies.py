"""Whose request it is, whatever X-Forwarded-For says; more cases are in tests/resilience/test_limiter.py."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.requests import request
from transcoder.proxies import compile_client_address, compile_trust

NETWORKS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
HOPS = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(["10.1.1.1", "fd00::1", "::ffff:10.0.0.1", "[fd00::1]:80", "10.0.0.1:80", "unknown", ""]),
    st.text(max_size=20),
)


@pytest.mark.parametrize(
    ("peer", "is_trusted"),
    [
        ("10.255.0.1", True),
        ("fd00::1", True),
        ("::ffff:10.0.0.1", True),
        ("11.0.0.1", False),
        ("fe00::1", False),
        ("::ffff:11.0.0.1", False),
        ("", False),
        ("10.0.0.1.evil.example", False),
    ],
)
def test_trust(peer: str, is_trusted: bool) -> None:
    assert compile_trust(NETWORKS)(peer) is is_trusted


@given(peer=st.sampled_from(["10.0.0.1", "192.0.2.7"]), headers=st.lists(st.lists(HOPS)))
def test_address_is_one_that_nobody_could_invent(peer: str, headers: list[list[str]]) -> None:
    """It is the peer's, or one that a trusted proxy wrote: the text before it is never looked at."""
    values = [", ".join(hops) for hops in headers]
    ctx = request(peer=peer, headers=[("X-Forwarded-For", value) for value in values])
    address_of = compile_client_address(NETWORKS)
    address = address_of(ctx)
    if peer == "192.0.2.7":
        assert address == peer
    assert ip_address(address)
    longer = request(peer=peer, headers=[("X-Forwarded-For", value) for value in ["1.1.1.1", *values]])
    assert address_of(longer) in (address, "1.1.1.1")
    if not compile_trust(NETWORKS)(address):
        assert address_of(longer) == address
