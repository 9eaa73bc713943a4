"""A worker process, as the supervisor starts it."""

from __future__ import annotations

import os
import sys

from transcoder.config.load import LoadedConfig
from transcoder.errors import ConfigError
from transcoder.observe.logs import get_log
from transcoder.server.job import JOB, Job
from transcoder.server.options import ServeOptions
from transcoder.server.serve import check_keys, run_worker, set_up_logs
from transcoder.server.team import Team


def main() -> None:
    """Serve on the sockets this process has inherited."""
    job = Job.from_json(os.environ.pop(JOB))
    try:
        loaded = load(job.options, job.team)
    except ConfigError as error:
        sys.exit(f"transcoder: a worker cannot start: {error}")
    run_worker(job.options, loaded, job.sockets(), job.team, parent=sys.stdin.fileno())


def load(options: ServeOptions, team: Team) -> LoadedConfig:
    """The configuration, or the last good one when it cannot be used now. Raises ConfigError."""
    try:
        return _checked(options.load())
    except ConfigError as error:
        loaded = _checked(options.load(team.recall()))
        problems = [str(problem) for problem in error.problems]
        get_log().error("the last good configuration is used", problems=problems)
        return loaded


def _checked(loaded: LoadedConfig) -> LoadedConfig:
    set_up_logs(loaded.config)
    check_keys(loaded.config)
    return loaded


if __name__ == "__main__":
    main()
