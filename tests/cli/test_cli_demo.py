"""demo: backends and gateway start together and end together."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

import click
import httpx
import pytest

from tests.cli.conftest import run_cli
from tests.support.ports import free_port
from tests.support.process import running
from transcoder.cli.demo import demo_backends


def stub(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


async def test_it_lets_a_user_sign_in_and_ends_with_all_it_started() -> None:
    ports = [free_port() for _ in range(7)]
    options = (
        "--port",
        str(ports[0]),
        "--admin-port",
        str(ports[1]),
        "--backend-ports",
        ",".join(map(str, ports[2:])),
    )
    async with running(sys.executable, "-m", "transcoder", "demo", *options) as process:
        await process.wait_for_line('"ready"')
        url = f"http://127.0.0.1:{ports[0]}"
        assert any(url in line for line in process.stderr), "it says where to go"
        await read_an_order(url)
        code, out, err = await run_cli("demo", *options)
        assert (code, out) == (1, [])
        assert err[-1].startswith(f"transcoder: cannot listen on 127.0.0.1:{ports[2]} for user-service: ")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert process.stdout == []
    assert_nobody_listens(ports)


async def read_an_order(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        login = {"email": "user@example.com", "password": "password123"}
        token = (await client.post("/api/v1/auth/login", json=login)).json()["token"]
        response = await client.get("/api/v1/orders/123", headers={"authorization": f"Bearer {token}"})
        assert (response.status_code, response.json()["orderId"]) == (200, "123")


def assert_nobody_listens(ports: Sequence[int]) -> None:
    for port in ports:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}", trust_env=False)


async def test_ports_that_are_not_one_for_each_backend_are_refused() -> None:
    code, out, err = await run_cli("demo", "--backend-ports", "1,2")
    assert (code, out) == (2, [])
    problem = "Invalid value for --backend-ports: '1,2' is not 5 port numbers separated by commas"
    assert err == [f"transcoder: {problem} (see transcoder demo --help)"]


STARTING = """
import signal, sys
from contextlib import contextmanager
import transcoder.cli.demo
from transcoder.cli import main

@contextmanager
def starting(command):
    print("starting", flush=True)
    signal.pause()
    yield

transcoder.cli.demo.demo_backends = starting
sys.exit(main(["demo"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_while_it_starts_ends_it_cleanly(number: signal.Signals) -> None:
    async with running(*stub(STARTING)) as process:
        await process.wait_for_line("starting")
        process.send_signal(number)
        assert await process.wait() == 0
    assert process.stderr == []


def test_backends_live_as_long_as_the_block(capsys: pytest.CaptureFixture[str]) -> None:
    command = stub(
        "import sys; print('a h:1 p.A', 'ready', sep='\\n', flush=True); sys.stdin.read(); print('bye')"
    )
    with demo_backends(command) as addresses:
        assert addresses == {"a": "h:1"}
        assert "bye" not in capsys.readouterr().err
    assert capsys.readouterr() == ("", "bye\n")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('one'); exit('error: port 1 is taken')", "port 1 is taken"),
        ("exit(3)", "the demo backends did not start"),
    ],
)
def test_backends_that_do_not_start_say_why(code: str, message: str) -> None:
    with pytest.raises(click.ClickException) as error, demo_backends(stub(code)):
        raise AssertionError("the block must not run")
    assert error.value.message == message


def test_backends_that_hang_at_the_start_are_killed() -> None:
    hanging = stub("import time; time.sleep(60)")
    with pytest.raises(click.ClickException, match="did not start"), demo_backends(hanging, ready_within=0.1):
        raise AssertionError("the block must not run")


def test_backends_that_hang_at_the_end_are_killed() -> None:
    with demo_backends(stub("import time; print('ready', flush=True); time.sleep(60)"), end_within=0.1):
        pass
