"""What the figures were measured on, and with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

from transcoder import __version__

_PACKAGES: Final = ("sanic", "grpcio", "protobuf", "orjson", "uvloop")


def describe_machine() -> dict[str, str]:
    """The processor, how many there are, the memory and the system."""
    return {
        "processor": _first_value("/proc/cpuinfo", "model name"),
        "cores": str(os.cpu_count()),
        "memory": _first_value("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def describe_versions(envoy: Path | None) -> dict[str, str]:
    """Of everything that takes part. envoy: the program, if it does."""
    versions = {"transcoder": __version__, "commit": _output("git", "describe", "--always", "--dirty")}
    versions["python"] = platform.python_version()
    versions |= {name: version(name) for name in _PACKAGES}
    if envoy is not None:
        # .../envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL
        versions["envoy"] = _output(str(envoy), "--version").rpartition("version: ")[2].split("/")[1]
    versions["wrk"] = _output("wrk", "--version").split()[1]
    return versions


def _first_value(file: str, key: str) -> str:
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "unknown")


def _output(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()
