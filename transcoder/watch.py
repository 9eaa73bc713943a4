"""Noticing that files have changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from watchfiles import awatch

CHECK_EVERY: Final = 5_000
"""Milliseconds after which the files are looked at even if the system reports nothing."""

STEP: Final = 250
"""Milliseconds between looks of a thread at what the system has reported; each look needs the interpreter."""

Contents = Mapping[Path, bytes | None]
"""What is in files; None for those that are missing or cannot be read."""

Digests = Mapping[Path, bytes | None]


async def watch_files(files: Callable[[], Contents], on_change: Callable[[], Awaitable[object]]) -> None:
    """Await `on_change` whenever the contents of one of the files differ; runs until cancelled.

    The folders are watched, not the files: editors and config-map mounts replace files, or links to them.
    files: with the contents that were read last, so that no change after that is missed; asked again after
    every change, which may have added some.
    """
    known = _digests_read(files())
    while True:
        seen = await _until_changed(known)
        await on_change()
        # what changed while it was read is a change of its own; what was refused is not tried again
        known = {**_digests_read(files()), **seen}


async def _until_changed(known: Digests) -> Digests:
    while True:
        folders = {path.parent for path in known if _is_folder(path.parent)}
        async for _ in _signs_of_change(folders):
            seen = await asyncio.to_thread(_digests, known)
            if seen != known:
                return seen


async def _signs_of_change(folders: Iterable[Path]) -> AsyncIterator[object]:
    yield None  # files may have changed before anybody watched
    with suppress(OSError):  # a folder is gone; it may come back
        async for changes in awatch(
            *folders, recursive=False, step=STEP, yield_on_timeout=True, rust_timeout=CHECK_EVERY
        ):
            yield changes
    await asyncio.sleep(CHECK_EVERY / 1000)
    yield None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _digests_read(files: Contents) -> Digests:
    return {path: None if data is None else hashlib.sha256(data).digest() for path, data in files.items()}


def _digests(files: Iterable[Path]) -> Digests:
    return {path: _digest(path) for path in files}


def _digest(path: Path) -> bytes | None:
    try:
        if not path.is_file():  # a refused configuration may name anything, a device or a pipe
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
