"""What workers leave for each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from transcoder.server.job import Job
from transcoder.server.options import ServeOptions
from transcoder.server.team import Team, forget_worker


def test_team_is_complete_when_every_slot_has_been_ready(tmp_path: Path) -> None:
    one = Team(slot=0, size=2, folder=tmp_path)
    two = replace(one, slot=1)
    assert not one.is_complete
    one.report_ready()
    one.report_ready()
    assert not one.is_complete
    two.report_ready()
    assert one.is_complete
    assert two.is_complete


def test_one_worker_is_a_team() -> None:
    alone = Team()
    alone.report_ready()
    alone.remember({Path("config.yaml"): b"a"})
    assert (alone.is_complete, alone.name, alone.recall()) == (True, "0", {})


def test_files_are_remembered_byte_for_byte(tmp_path: Path) -> None:
    """The last that somebody took over."""
    one = Team(slot=0, size=2, folder=tmp_path)
    two = replace(one, slot=1)
    one.remember({Path("/etc/a.yaml"): b"old"})
    files = {Path("/etc/a.yaml"): b"\xef\xbb\xbfa: \xc3\xa9\r\n", Path("b.yaml"): b""}
    two.remember(files)
    assert one.recall() == two.recall() == files


def test_socket_of_a_dead_worker_is_removed(tmp_path: Path) -> None:
    (tmp_path / "11.sock").touch()
    (tmp_path / "12.sock").touch()
    forget_worker(tmp_path, 11)
    forget_worker(tmp_path, 13)
    assert [path.name for path in tmp_path.iterdir()] == ["12.sock"]


def test_job_goes_to_another_process(tmp_path: Path) -> None:
    job = Job(
        options=ServeOptions(path="config.yaml", backends=("a=b:1",), port=0, workers=2),
        team=Team(slot=1, size=2, folder=tmp_path, memories=(7, 8)),
        public=5,
        admin=None,
    )
    assert Job.from_json(job.to_json()) == job
    assert job.inherited == (5, 7, 8)
    assert replace(job, admin=6).inherited == (5, 6, 7, 8)
