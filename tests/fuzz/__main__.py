"""Feeds one target with what reaches new code, until it finds something or is told to stop (atheris).

usage: python -m tests.fuzz TARGET FOLDER [libFuzzer's options]     FOLDER keeps what reached new code
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["transcoder"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Runs until libFuzzer ends the process."""
    name, folder, *options = sys.argv[1:]
    target, corpus = TARGETS[name], Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], str(corpus), f"-artifact_prefix={folder}/{name}-", *options], target.feed)
    atheris.Fuzz()


main()
