"""Bodies in chunks that are as small as they can be."""

from __future__ import annotations

from tests.server.public_port import serving
from tests.support.holds import assert_not_held
from tests.support.raw import request


async def test_chunks_of_a_byte_hold_nobody_up() -> None:
    """They come as fast as a line carries them, and cost a hundred times what others do."""
    head = request("POST", "/", "Transfer-Encoding: chunked")
    async with serving() as port, port.client() as client:

        async def ask() -> None:
            client.send(head + b"1\r\nx\r\n" * 200_000 + b"0\r\n\r\n")
            assert (await client.answer()).status == 200

        await assert_not_held(ask, at_least=0.1)
