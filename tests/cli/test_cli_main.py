"""The border of the command line: help, exit codes, and one line for whatever goes wrong."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from transcoder import __version__
from transcoder.cli import main
from transcoder.config.model import ApiKeyConfig

COMMANDS = ["serve", "demo", "check", "routes", "api-key", "list", "describe", "call", "descriptors"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"transcoder {__version__}\n", "")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert {line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line} == set(COMMANDS)
    assert "..." not in out.partition("Commands:")[2], "a sentence is too long for the overview"


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples(
    capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    assert main([command, option]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: transcoder {command} ")
    assert f"\n  transcoder {command} " in out or f"\n  transcoder {command}\n" in out
    assert err == ""


def test_help_does_not_wait_for_what_commands_need() -> None:
    code = "import sys; from transcoder.cli import main; main(['serve', '--help']); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"grpc", "sanic", "google.protobuf", "pydantic", "rich"} & set(out.split())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "Missing command (see transcoder --help)"),
        (["srve"], "No such command 'srve'"),
        (["--verbose"], "No such option '--verbose'"),
        (["serve", "--prot", "1"], "No such option '--prot'"),
        (["serve", "--port", "x"], "Invalid value for '--port': 'x' is not a valid integer"),
        (["serve", "--port", "65536"], "Invalid value for '--port': 65536 is not in the range 0<=x<=65535"),
        (["serve", "--workers", "-1"], "Invalid value for '--workers': -1 is not in the range x>=0"),
        (["serve", "--config", "a", "--backend", "b:1"], "--backend and --config exclude each other"),
        (["list"], "Missing argument 'ADDRESS' (see transcoder list --help)"),
        (["list", "nowhere"], "expected host:port or a gRPC target"),
        (["list", "a:1", "--cert", __file__], "--cert and --key go together"),
        (["list", "a:1", "--ca", "/none"], "Invalid value for '--ca': File '/none' does not exist"),
        (["list", "a:1", "-H", "x"], "-H 'x': expected 'name: value' in printable ASCII"),
        (["list", "a:1", "-H", "x-bin: *"], "-H x-bin: the value is not base64"),
        (["call", "a:1"], "Missing argument 'METHOD'"),
        (
            ["call", "a:1", "m", "--timeout", "5"],
            "Invalid value for '--timeout': expected a duration such as",
        ),
        (["describe", "a:1"], "Missing argument 'SYMBOL'"),
        (["descriptors", "a:1"], "Missing option '-o'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"transcoder: {line}")
    assert err.endswith(" --help)\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "also"), [("serve", ", or a backend with --backend HOST:PORT"), ("check", ""), ("routes", "")]
)
def test_without_the_default_file_it_says_what_to_name(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    also: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 1
    assert capsys.readouterr() == (
        "",
        f"transcoder: no config/config.yaml here: name a file with --config{also}\n",
    )


@pytest.mark.parametrize("command", ["serve", "routes"])
def test_every_problem_of_a_configuration_is_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text("server:\n  prot: 1\nservices:\n  a: {}\n")
    assert main([command, "--config", str(config)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith(f"{config}:2: server.prot: unknown key")
    assert second.startswith(f"{config}:4: services.a.address: ")


def test_a_bad_backend_of_serve_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--backend", "a=nowhere"]) == 1
    assert capsys.readouterr().err.startswith("--backend a: expected host:port or a gRPC target")


def test_an_unreadable_file_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["call", "127.0.0.1:1", "a.B/C", "-d", f"@{tmp_path / 'none'}"]) == 1
    assert capsys.readouterr() == ("", f"transcoder: {tmp_path / 'none'}: No such file or directory\n")


def test_an_unreachable_server_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "127.0.0.1:1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("transcoder: reflection: ")
    assert "Connection refused" in err
    assert err.count("\n") == 1


def test_a_bug_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("of\nmany\x1b[2J lines")

    monkeypatch.setattr("transcoder.cli.explore.list_names", broken)
    assert main(["list", "127.0.0.1:1"]) == 1
    assert capsys.readouterr() == (
        "",
        "transcoder: unexpected error: ZeroDivisionError('of\\nmany\\x1b[2J lines')\n",
    )


def test_what_a_server_says_cannot_drive_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hostile(*_: Any) -> None:
        raise OSError("first\n second \x1b[2J\x9b")

    monkeypatch.setattr("transcoder.cli.explore.list_names", hostile)
    assert main(["list", "127.0.0.1:1"]) == 1
    assert capsys.readouterr() == ("", "transcoder: first second \\x1b[2J\\x9b\n")


def test_ctrl_c_is_exit_code_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("transcoder.cli.explore.list_names", interrupted)
    assert main(["list", "127.0.0.1:1"]) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "")


def test_api_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is new, and its hash is what the configuration takes."""
    keys = []
    for _ in range(2):
        assert main(["api-key"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        made = dict(line.split(": ") for line in out.splitlines())
        assert made["hash"] == f"sha256:{sha256(made['key'].encode()).hexdigest()}"
        ApiKeyConfig.model_validate({"name": "n", "user_id": "u", "hash": made["hash"]})
        keys.append(made["key"])
    assert len(set(keys)) == 2
    assert {len(key) for key in keys} == {43}
