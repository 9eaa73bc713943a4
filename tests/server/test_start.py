"""What is done before a worker runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from transcoder.errors import ConfigError
from transcoder.server import __main__ as module
from transcoder.server.__main__ import load
from transcoder.server.job import JOB, Job
from transcoder.server.options import ServeOptions
from transcoder.server.team import Team


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServeOptions:
    monkeypatch.setattr(module, "set_up_logs", lambda _config: None)
    return ServeOptions(path=str(tmp_path / "config.yaml"))


@pytest.fixture
def team(tmp_path: Path) -> Team:
    folder = tmp_path / "team"
    folder.mkdir()
    return Team(size=2, folder=folder)


def test_files_as_they_are(options: ServeOptions, team: Team, tmp_path: Path) -> None:
    team.remember({tmp_path / "config.yaml": b"server: {request_timeout: 2s}"})
    (tmp_path / "config.yaml").write_text("server: {request_timeout: 3s}")
    assert load(options, team).config.server.request_timeout == 3


def test_bad_files_are_replaced_by_the_last_good_ones(
    options: ServeOptions, team: Team, tmp_path: Path
) -> None:
    """What the command line says still counts."""
    team.remember({tmp_path / "config.yaml": b"server: {request_timeout: 2s, port: 1}"})
    (tmp_path / "config.yaml").write_text("server: [")
    config = load(replace(options, port=5), team).config
    assert (config.server.request_timeout, config.server.port) == (2, 5)


def test_bad_key_is_a_bad_configuration(options: ServeOptions, team: Team, tmp_path: Path) -> None:
    team.remember({tmp_path / "config.yaml": b"server: {request_timeout: 2s}"})
    (tmp_path / "key.pem").write_text("no key")
    issuer = "{name: a, public_key_file: key.pem, algorithms: [RS256]}"
    (tmp_path / "config.yaml").write_text(f"auth: {{issuers: [{issuer}]}}")
    assert load(options, team).config.server.request_timeout == 2


def test_nothing_is_good(options: ServeOptions, team: Team, tmp_path: Path) -> None:
    team.remember({tmp_path / "config.yaml": b"nonsense: 1"})
    (tmp_path / "config.yaml").write_text("server: [")
    with pytest.raises(ConfigError, match="nonsense"):
        load(options, team)


def test_worker_that_cannot_start_says_why(
    options: ServeOptions, team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text("server: [")
    team.remember({tmp_path / "config.yaml": b"nonsense: 1"})
    job = Job(options=options, team=team, public=0, admin=None)
    monkeypatch.setenv(JOB, job.to_json())
    with pytest.raises(SystemExit, match=r"^transcoder: a worker cannot start: .*config\.yaml:1: nonsense"):
        module.main()
    assert JOB not in os.environ


@pytest.mark.parametrize(("hard", "warnings"), [(1000, ["few files may be open 1000"]), (5000, [])])
def test_as_many_files_may_be_open_as_the_system_allows(hard: int, warnings: list[str]) -> None:
    """In a process of its own: a limit that was lowered cannot be raised again."""
    code = (
        "import resource, sys\n"
        "from tests.support.events import Events\n"
        "from transcoder.server.serve import raise_file_limit\n"
        "events = Events()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, int(sys.argv[1])))\n"
        "raise_file_limit(events)\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))\n"
        "for one in events.all: print(one.event, one.fields['limit'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(hard)], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [f"{hard} {hard}", *warnings]
