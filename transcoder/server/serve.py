"""`transcoder serve`: binds the ports, then runs one worker here or several in processes of their own."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from typing import Final

import uvloop

from transcoder.config.load import LoadedConfig
from transcoder.config.model import Config
from transcoder.events import EventLog
from transcoder.observe.cells import shared_memory
from transcoder.observe.logs import configure_logs, get_log
from transcoder.server.options import ServeOptions
from transcoder.server.scheduling import schedule_in_batches
from transcoder.server.sockets import Sockets, bind, reserve
from transcoder.server.supervisor import Supervisor
from transcoder.server.team import Team
from transcoder.server.tls import make_context
from transcoder.server.worker import Worker

FEW_FILES: Final = 4096
"""Open files below which the log says so: each client takes one, each backend a few."""


def serve(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError, and OSError naming the port that cannot be bound."""
    loaded = options.load()
    config = loaded.config
    set_up_logs(config)
    check_keys(config)
    raise_file_limit(get_log())
    count = config.server.workers or os.cpu_count() or 1
    memories = tuple(shared_memory() for _ in range(count if config.admin.enabled else 0))
    if count == 1:
        run_worker(options, loaded, bind(config), Team(memories=memories))
    else:
        team = Team(size=count, memories=memories)
        Supervisor(options, loaded.files, reserve(config), team, get_log()).run()


def set_up_logs(config: Config) -> None:
    """Log as the configuration says."""
    configure_logs(config.observability.log_level, config.observability.log_format)


def check_keys(config: Config) -> None:
    """Raises ConfigError for keys and storages that cannot be used: better here than in every worker."""
    if config.auth.issuers:
        from transcoder.security.verifier import Verifier  # noqa: PLC0415 - see Gateway

        Verifier.from_config(config.auth)
    if config.server.tls.cert is not None:
        make_context(config.server.tls)
    if config.has_rate_limits:
        from transcoder.resilience.storage import RateStorage  # noqa: PLC0415 - see Gateway

        RateStorage.from_config(config.rate_limits, get_log())


def raise_file_limit(log: EventLog) -> None:
    """Let this process and its workers open as many files as the system allows at all."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # a hard limit above what the system has come to allow
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < FEW_FILES:
        log.warning("few files may be open", limit=limit, wanted=FEW_FILES)


def run_worker(
    options: ServeOptions, loaded: LoadedConfig, sockets: Sockets, team: Team, *, parent: int | None = None
) -> None:
    """Serve in this process. parent: a file descriptor whose end means that the supervisor is gone."""

    async def run() -> None:
        await Worker(options, loaded, sockets, team, get_log()).run(parent)

    schedule_in_batches()
    uvloop.run(run())
