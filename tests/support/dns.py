"""A name server for one name, whose addresses can change."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import Any, Final

_A: Final = 1
_HEADER: Final = struct.Struct("!6H")
_ANSWER: Final = struct.Struct("!HHHIH4s")
_POINTER_TO_QUESTION: Final = 0xC00C
_RESPONSE: Final = 0x8180


class NameServer(asyncio.DatagramProtocol):
    """Answers every question for an IPv4 address (RFC 1035) with `addresses`, and others with nothing."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = list(addresses)
        self.questions = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        number = _HEADER.unpack_from(data)[0]
        end = data.index(b"\0", _HEADER.size) + 5
        question = data[_HEADER.size : end]
        kind = int.from_bytes(question[-4:-2])
        addresses = self.addresses if kind == _A else []
        self.questions += kind == _A
        head = _HEADER.pack(number, _RESPONSE, 1, len(addresses), 0, 0)
        answers = [
            _ANSWER.pack(_POINTER_TO_QUESTION, _A, 1, 0, 4, IPv4Address(address).packed)
            for address in addresses
        ]
        self._transport.sendto(head + question + b"".join(answers), addr)


@asynccontextmanager
async def name_server(*addresses: str) -> AsyncIterator[tuple[NameServer, int]]:
    """A name server on a free UDP port of 127.0.0.1, and the port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(addresses), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
