"""Where the gateway listens."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.ports import free_port
from transcoder.config.model import AdminConfig, Config, ServerConfig
from transcoder.server.sockets import Sockets, bind, join, reserve


def config(port: int | None = None, *, host: str = "127.0.0.1", **admin: Any) -> Config:
    return Config(
        server=ServerConfig(host=host, port=port or free_port()),
        admin=AdminConfig(**{"port": free_port(), **admin}),
    )


def taking(public: int, admin: int) -> Config:
    return Config(server=ServerConfig(port=public), admin=AdminConfig(port=admin))


def close(sockets: Sockets) -> None:
    for sock in sockets.all:
        sock.close()


@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("::1", "::1")])
def test_addresses(host: str, name: str) -> None:
    port = free_port()
    sockets = bind(config(port, host=host))
    assert sockets.public.getsockname()[:2] == (name, port)
    assert len(sockets.all) == 2
    close(sockets)


def test_admin_port_that_is_off() -> None:
    sockets = bind(config(enabled=False))
    assert (sockets.admin, sockets.all) == (None, (sockets.public,))
    close(sockets)


@pytest.mark.parametrize("take", [bind, reserve])
@pytest.mark.parametrize("number", [0, 1])
def test_address_that_is_taken(take: Any, number: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        ports = [free_port(), free_port()]
        ports[number] = taken
        with pytest.raises(OSError, match=f"^cannot listen on 127.0.0.1:{taken}: Address already in use$"):
            take(taking(*ports))


def test_host_that_is_none() -> None:
    with pytest.raises(OSError, match=r"cannot listen on no\.such\.host\.invalid:1: "):
        bind(config(1, host="no.such.host.invalid"))


def test_workers_listen_side_by_side_and_nobody_else() -> None:
    """Not even another gateway that would do the same."""
    sockets = reserve(config())
    host, port = sockets.public.getsockname()
    with ExitStack() as stack:
        workers = [stack.enter_context(join(sockets.public.dup())) for _ in range(2)]
        for worker in workers:
            worker.listen()
        with pytest.raises(OSError, match="Address already in use"):
            reserve(config(port))
        accepted: Counter[int] = Counter()
        clients = [stack.enter_context(socket.create_connection((host, port))) for _ in range(64)]
        for number, worker in enumerate(workers):
            worker.setblocking(False)
            while True:
                try:
                    worker.accept()[0].close()
                except BlockingIOError:
                    break
                accepted[number] += 1
        assert accepted.total() == len(clients)
        # the chance of an honest spread to fail this is 1 in 10 million
        assert min(accepted.values()) > 10
    close(sockets)


def test_reserved_address_takes_no_connections() -> None:
    """As long as no worker listens clients go elsewhere instead of waiting."""
    sockets = reserve(config())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(sockets.public.getsockname())
    close(sockets)
