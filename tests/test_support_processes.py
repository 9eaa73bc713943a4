"""The programs, certificates and tokens the other tests stand on."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509

from tests.support.certs import Authority
from tests.support.node import running_node
from tests.support.ports import free_port
from tests.support.process import running
from tests.support.tokens import SECRET, bearer, hs256


def test_certificate_can_be_expired_and_for_other_hosts(tmp_path: Path) -> None:
    identity = Authority(tmp_path).issue("old", hosts=["elsewhere.test"], valid_for=timedelta(hours=-1))
    certificate = x509.load_pem_x509_certificate(identity.cert.read_bytes())
    assert certificate.not_valid_after_utc < datetime.now(UTC)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["elsewhere.test"]


def test_token_carries_its_claims() -> None:
    claims = jwt.decode(hs256(email="a@b.c", iat=None), SECRET, algorithms=["HS256"])
    assert claims == {"sub": "user-1", "email": "a@b.c", "exp": claims["exp"]}
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(bearer(expires_in=-1)["Authorization"].split()[1], SECRET, algorithms=["HS256"])


def _python(script: str) -> tuple[str, ...]:
    return sys.executable, "-c", script


async def test_process_gives_its_lines_and_exit_code() -> None:
    script = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    async with running(*_python(script)) as process:
        assert await process.wait_for_line("out") == "out"
        assert await process.wait_for_line(lambda line: line.startswith("e")) == "err"
        assert await process.wait() == 3
    assert (process.stdout, process.stderr) == (["out"], ["err"])


async def test_every_line_is_looked_at_once() -> None:
    seen: list[str] = []

    def is_last(line: str) -> bool:
        seen.append(line)
        return line == "199"

    async with running(*_python("for number in range(200): print(number, flush=True)")) as process:
        await process.wait_for_line(is_last)
    assert seen == [str(number) for number in range(200)]


async def test_process_that_ends_without_the_line_says_what_it_wrote() -> None:
    async with running(*_python("print('other')")) as process:
        with pytest.raises(AssertionError, match=r"no such line: wanted\nexit code: .*\nother"):
            await process.wait_for_line("wanted")


async def test_process_without_the_line_in_time() -> None:
    async with running(*_python("import signal; signal.pause()")) as process:
        with pytest.raises(AssertionError, match="no such line"):
            await process.wait_for_line("wanted", within=0.05)
        assert process.returncode is None


async def test_signals_reach_the_process() -> None:
    async with running(*_python("import signal; print('up', flush=True); signal.pause()")) as process:
        await process.wait_for_line("up")
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        process.terminate()


_STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("child", flush=True)
signal.pause()
"""


async def test_nothing_is_left_of_a_stubborn_process_and_its_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.process._END_WITHIN", 0.2)
    async with running(*_python(_STUBBORN)) as process:
        await process.wait_for_line("child")
    # The child holds the other end of stdout: that `wait` returns says it is gone too.
    assert await process.wait() == -signal.SIGKILL


async def test_node_backend_restarts_on_its_port() -> None:
    port = free_port()
    for _ in range(2):
        async with running_node(port) as backend:
            assert backend.address == f"127.0.0.1:{port}"
            backend.process.kill()
            assert await backend.process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("shutil.which", lambda _: None, "need Node.js"), ("tests.support.node._DIRECTORY", Path(), "packages")],
)
async def test_missing_node_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object, message: str
) -> None:
    monkeypatch.setattr(name, value)
    with pytest.raises(AssertionError, match=rf"{message}.*: run \./scripts/test"):
        await running_node().__aenter__()
