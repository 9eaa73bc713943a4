"""A JWK set that is kept fresh: swapped as a whole when it changes, never lost to a failed refresh.

PyJWT's own client blocks, has no size bound and forgets its keys when a refresh fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, Final

from transcoder.events import Meter, unmetered
from transcoder.security.fetch import Fetch, FetchError
from transcoder.security.keys import Check, KeyProblem, KeySet

REFRESH_INTERVAL: Final = 300.0
"""Seconds between two looks at a URL."""
COOLDOWN: Final = 10.0
"""Seconds between two looks that tokens cause, between two looks at a file, and after a failed look."""

_MAX_TRIES: Final = 8
_log: Final = logging.getLogger(__name__)


class KeysUnavailable(Exception):  # noqa: N818 - a state to report, not a fault of the caller
    """No key set has been loaded yet, so no token of the issuer can be checked."""


class Jwks:
    """The current keys of one issuer.

    fetch reads the document, parse makes keys of it; on_change is called when other keys have come into
    force. interval: seconds between background refreshes. At most one fetch runs at a time and whoever needs
    it waits for the same one; tokens with unknown key ids cause one at most every COOLDOWN seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        fetch: Fetch,
        parse: Callable[[bytes], KeySet],
        on_change: Callable[[], None],
        meter: Meter = unmetered,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        interval: float = REFRESH_INTERVAL,
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._parse = parse
        self._on_change = on_change
        self._clock = clock
        self._sleep = sleep
        self._interval = interval
        self._refreshes = {
            outcome: meter("transcoder_jwks_refreshes_total", issuer=name, outcome=outcome)
            for outcome in ("ok", "failed")
        }
        self._document: bytes | None = None
        self._keys = KeySet()
        self._attempted_at: float | None = None
        self._loaded_at: float | None = None
        self._error: str | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._background: asyncio.Task[None] | None = None

    def adopt(self, document: bytes) -> None:
        """Replaces the keys by those of the document. Raises KeyProblem when it has none."""
        if document != self._document:
            keys = self._parse(document)
            if not keys.keys:
                raise KeyProblem("; ".join(["no usable key", *keys.refused]))
            self._keys, self._document = keys, document
            self._on_change()
        self._loaded_at = self._clock()

    async def find(self, algorithm: str, kid: str | None) -> Sequence[Check]:
        """The checks for a token of this `alg` and `kid`; without a `kid`, those of the first few keys.

        Raises KeysUnavailable while no key set was ever loaded: the token may be good, nobody can tell.
        """
        found = self._lookup(algorithm, kid)
        if not found and self._may_refresh():
            await self.refresh()
            found = self._lookup(algorithm, kid)
        if self._document is None:
            raise KeysUnavailable(f"no keys of issuer {self._name} yet")
        return found

    async def refresh(self) -> None:
        """Reads the document again, or joins the reading that is under way. Never raises."""
        task = self._running()
        if task is None:
            task = self._refreshing = asyncio.create_task(self._load())
        # Unlike awaiting the task, this neither cancels it with the one who waits nor passes its end on.
        await asyncio.wait((task,))

    def start(self) -> None:
        """Starts the background refresh, which loads the keys at once."""
        self._background = asyncio.create_task(self._run())

    async def close(self) -> None:
        tasks = [task for task in (self._background, self._refreshing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def describe(self) -> dict[str, Any]:
        """keys: how many; refused: what was left out; age: seconds since a good load; error: of the last."""
        age = None if self._loaded_at is None else max(0.0, self._clock() - self._loaded_at)
        return {
            "keys": len(self._keys.keys),
            "refused": list(self._keys.refused),
            "age": age,
            "error": self._error,
        }

    def _lookup(self, algorithm: str, kid: str | None) -> list[Check]:
        fitting = (key for key in self._keys.keys if algorithm in key.checks and kid in (None, key.kid))
        return [key.checks[algorithm] for key in islice(fitting, _MAX_TRIES)]

    def _may_refresh(self) -> bool:
        """Whether a refresh is under way, or the last began long enough ago (or the clock was set back)."""
        if self._running() is not None or self._attempted_at is None:
            return True
        return not 0 <= self._clock() - self._attempted_at < COOLDOWN

    def _running(self) -> asyncio.Task[None] | None:
        return self._refreshing if self._refreshing is not None and not self._refreshing.done() else None

    async def _run(self) -> None:
        while True:
            await self.refresh()
            await self._sleep(self._interval if self._error is None else COOLDOWN)

    async def _load(self) -> None:
        self._attempted_at = self._clock()
        try:
            self.adopt(await self._fetch())
        except (FetchError, KeyProblem) as exc:
            self._failed(str(exc))
        except Exception as exc:  # whatever it was, the loop goes on and the old keys stay
            self._failed(type(exc).__name__)
        else:
            self._succeeded()

    def _failed(self, error: str) -> None:
        self._refreshes["failed"]()
        if error != self._error:
            _log.warning("keys of issuer %r not refreshed: %s", self._name, error)
        self._error = error

    def _succeeded(self) -> None:
        self._refreshes["ok"]()
        if self._error is not None:
            _log.info("keys of issuer %r refreshed again", self._name)
        self._error = None
