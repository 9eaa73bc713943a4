"""Protobuf's own conformance suite against the gateway's codec."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
RUNNER: Final = ROOT / "scripts" / "conformance-runner"
OPTIONS: Final = ("--enforce_recommended", "--maximum_edition", "2023")
SUMMARY: Final = re.compile(r"^CONFORMANCE SUITE .*$", re.MULTILINE)

PASSED: Final = [
    # 4 of the messages of an edition that is not out
    "CONFORMANCE SUITE PASSED: 5645 successes, 4 skipped, 0 expected failures, 0 unexpected failures.",
    # the text format, which the gateway does not speak
    "CONFORMANCE SUITE PASSED: 0 successes, 909 skipped, 0 expected failures, 0 unexpected failures.",
]


def run_suite(output: Path) -> tuple[int, str]:
    """The runner's exit code and all it said. output: a folder for its lists of failures."""
    program = [sys.executable, "-m", "tests.protobuf_conformance.testee"]
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        [RUNNER, *OPTIONS, "--output_dir", output, *program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": os.pathsep.join(paths)},
        cwd=ROOT,
        timeout=180,
        check=False,
        text=True,
        errors="replace",
    )
    return done.returncode, done.stdout


def test_every_test_passes_and_none_is_excused(tmp_path: Path) -> None:
    """The counts are those of the pinned version of the suite, so that no test can go missing either."""
    code, said = run_suite(tmp_path)
    assert (code, SUMMARY.findall(said)) == (0, PASSED), said
