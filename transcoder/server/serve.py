"""`transcoder serve`: binds the ports, then runs one worker here or several in processes of their own."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import uvloop

from transcoder.config.model import Config
from transcoder.observe.logs import configure_logs, get_log
from transcoder.server.listener import BACKLOG
from transcoder.server.options import ServeOptions
from transcoder.server.supervisor import Supervisor
from transcoder.server.worker import Sockets, Worker


def serve(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError, and OSError naming the port that cannot be bound."""
    config = options.load().config
    set_up_logs(config)
    check_keys(config)
    sockets = _bind(config)
    workers = config.server.workers or os.cpu_count() or 1
    if workers == 1:
        run_worker(options, sockets)
    else:
        Supervisor(options, sockets, workers, get_log()).run()


def set_up_logs(config: Config) -> None:
    """Log as the configuration says."""
    configure_logs(config.observability.log_level, config.observability.log_format)


def check_keys(config: Config) -> None:
    """Raises ConfigError for keys and storages that cannot be used: better here than in every worker."""
    if config.auth.issuers:
        from transcoder.security.verifier import Verifier  # noqa: PLC0415 - see Gateway

        Verifier.from_config(config.auth)
    if config.has_rate_limits:
        from transcoder.resilience.storage import RateStorage  # noqa: PLC0415 - see Gateway

        RateStorage.from_config(config.rate_limits, get_log())


def run_worker(
    options: ServeOptions, sockets: Sockets, *, control_folder: Path | None = None, parent: int | None = None
) -> None:
    """Serve in this process. parent: a file descriptor whose end means that the supervisor is gone."""

    async def run() -> None:
        await Worker(options, sockets, control_folder, get_log()).run(parent)

    uvloop.run(run())


def _bind(config: Config) -> Sockets:
    public = _listen(config.server.host, config.server.port)
    admin = _listen(config.admin.host, config.admin.port) if config.admin.enabled else None
    return Sockets(public=public, admin=admin)


def _listen(host: str, port: int) -> socket.socket:
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # socket.create_server has added the address to the text of the error
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from error
