"""The configuration of a worker: taken over at the start, and again whenever its files have changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from transcoder.config.files import key_files as key_files_of
from transcoder.config.load import LoadedConfig
from transcoder.config.model import Config
from transcoder.errors import ConfigError
from transcoder.events import EventLog, Meter
from transcoder.gateway import Gateway
from transcoder.server.control import Outcome
from transcoder.server.options import ServeOptions
from transcoder.server.team import Team
from transcoder.server.tls import TlsPort, make_context
from transcoder.watch import Contents, watch_files

RESTART_KEYS: Final = (
    "server.host",
    "server.port",
    "server.workers",
    "admin.enabled",
    "admin.host",
    "admin.port",
    "observability",
)
"""What a reload cannot change: it belongs to the process, not to the snapshot."""

RESTART_SWITCHES: Final = ("server.tls.cert", "server.tls.client_ca")
"""What a reload can change, but neither set nor unset."""


class Configuration:
    """Keeps a gateway at the newest configuration that is good.

    on_change: called with each one that was taken over. tls: of the public port, None without.
    is_current: whether that is the one last read; taken_over_at: Unix seconds.
    """

    def __init__(
        self,
        options: ServeOptions,
        loaded: LoadedConfig,
        gateway: Gateway,
        team: Team,
        *,
        on_change: Callable[[Config], None],
        tls: TlsPort | None,
        log: EventLog,
        meter: Meter,
    ) -> None:
        self.is_current = True
        self.taken_over_at = 0.0
        self._options = options
        self._loaded = loaded
        self._started_with = loaded.config
        self._gateway = gateway
        self._team = team
        self._on_change = on_change
        self._tls = tls
        self._in_effect: Contents = {}
        self._refused: Contents = {}
        self._log = log
        self._reloads = {
            outcome: meter("transcoder_config_reloads_total", outcome=outcome) for outcome in ("ok", "failed")
        }
        self._reloading = asyncio.Lock()

    async def start(self) -> None:
        """Take over what the worker was started with. Raises ConfigError."""
        await self._take_over(self._loaded)

    async def watch(self) -> None:
        """Reload whenever the files have changed; runs until cancelled."""
        if not self._loaded.files:
            return
        try:
            await watch_files(self._files, self.reload)
        except Exception as error:
            self._log.error("the configuration is not watched any more", exc_info=error)

    async def reload(self) -> Outcome:
        """Read the files again and take them over; bad ones change nothing."""
        async with self._reloading:
            try:
                loaded = await asyncio.to_thread(self._options.load)
                await self._take_over(loaded)
            except ConfigError as error:
                return self._refuse(error)
            self._reloads["ok"]()
            await self._remember(loaded)
            needs_restart = _needs_restart(self._started_with, loaded.config)
            generation = self._gateway.snapshot.generation
            self._log.info("reload", generation=generation, needs_restart=needs_restart)
            return {"ok": True, "generation": generation, "needs_restart": needs_restart}

    async def _take_over(self, loaded: LoadedConfig) -> None:
        # read before anything that depends on them: what changes meanwhile is seen as a change
        files = {**loaded.files, **await asyncio.to_thread(_contents, key_files_of(loaded.config))}
        try:
            await self._apply(loaded.config)
        except ConfigError as error:
            raise ConfigError(error.problems, files) from error
        self._in_effect, self._refused = files, {}
        self._on_change(loaded.config)
        self._loaded = loaded
        self.is_current = True
        self.taken_over_at = time.time()

    async def _apply(self, config: Config) -> None:
        tls = config.server.tls
        context = make_context(tls) if self._tls is not None and tls.cert is not None else None
        await self._gateway.apply(config)
        if self._tls is not None and context is not None:
            self._tls.replace(context)

    async def _remember(self, loaded: LoadedConfig) -> None:
        try:
            await asyncio.to_thread(self._team.remember, loaded.files)
        except OSError as error:
            self._log.warning("the configuration is not remembered", reason=str(error))

    def _refuse(self, error: ConfigError) -> Outcome:
        problems = [str(problem) for problem in error.problems]
        self.is_current = False
        self._refused = error.files
        self._reloads["failed"]()
        self._log.error("reload failed, the old configuration stays", problems=problems)
        return {"ok": False, "message": "the configuration is not valid", "problems": problems}

    def _files(self) -> Contents:
        """What is watched: the mending of any file that was refused counts, too."""
        return {**self._in_effect, **self._refused}


def _contents(paths: Iterable[Path]) -> Contents:
    """What is in files; those that cannot be read are left to whoever needs them."""
    return {path: _content(path) for path in paths}


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _needs_restart(old: Config, new: Config) -> list[str]:
    changed = [key for key in RESTART_KEYS if _at(old, key) != _at(new, key)]
    switched = [key for key in RESTART_SWITCHES if (_at(old, key) is None) != (_at(new, key) is None)]
    return changed + switched


def _at(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name)
    return value
