"""Noticing that files have changed, however they are replaced."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from transcoder import watch
from transcoder.watch import watch_files


class Changes:
    """Counts changes; hold: while set, a change is not done with."""

    def __init__(self) -> None:
        self.count = 0
        self.hold: asyncio.Event | None = None
        self._news = asyncio.Condition()

    async def take(self) -> None:
        self.count += 1
        async with self._news:
            self._news.notify_all()
        if self.hold is not None:
            await self.hold.wait()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: self.count >= count)


def contents(*files: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in files}


@asynccontextmanager
async def watching(*files: Path) -> AsyncIterator[Changes]:
    """What the files hold at this moment is known."""
    changes = Changes()
    known = contents(*files)

    def in_effect() -> dict[Path, bytes]:
        return known

    task = asyncio.create_task(watch_files(in_effect, changes.take))
    try:
        yield changes
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def write(path: Path, text: str) -> None:
    """In one step, in place if there is such a file; its text must not get shorter."""
    if path.exists():
        with path.open("r+") as file:
            file.write(text)
    else:
        part = path.with_suffix(".part")
        part.write_text(text)
        part.replace(path)


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_EVERY", 100)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("old")
    return path


async def test_write(file: Path) -> None:
    async with watching(file) as changes:
        for count, text in enumerate(("new", "newer"), 1):
            write(file, text)
            await changes.wait_for(count)


async def test_replacement_by_rename(file: Path, tmp_path: Path) -> None:
    """What most editors do."""
    async with watching(file) as changes:
        for count, text in enumerate(("new", "newer"), 1):
            other = tmp_path / "config.yaml.tmp"
            write(other, text)
            other.replace(file)
            await changes.wait_for(count)


async def test_swap_of_a_link_to_the_folder(tmp_path: Path) -> None:
    """What mounts of config maps do: config.yaml -> ..data/config.yaml, ..data -> a folder per version."""
    file = tmp_path / "config.yaml"
    file.symlink_to("..data/config.yaml")
    for version in ("v1", "v2", "v3"):
        (tmp_path / version).mkdir()
        write(tmp_path / version / "config.yaml", version)
    (tmp_path / "..data").symlink_to("v1")
    async with watching(file) as changes:
        for count, version in enumerate(("v2", "v3"), 1):
            link = tmp_path / "..data_tmp"
            link.symlink_to(version)
            link.replace(tmp_path / "..data")
            await changes.wait_for(count)


async def test_any_of_several_files(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    routes = folder / "routes.yaml"
    write(routes, "old")
    async with watching(file, routes) as changes:
        write(routes, "new")
        await changes.wait_for(1)


async def test_removal_and_return(file: Path) -> None:
    async with watching(file) as changes:
        remove(file)
        await changes.wait_for(1)
        write(file, "again")
        await changes.wait_for(2)


async def test_removal_and_return_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    file = folder / "config.yaml"
    write(file, "old")
    async with watching(file) as changes:
        shutil.rmtree(folder)
        await changes.wait_for(1)
        folder.mkdir()
        write(file, "again")
        await changes.wait_for(2)


async def test_what_does_not_change_a_file_is_ignored(file: Path, tmp_path: Path) -> None:
    """Other files, and writing what was there."""
    async with watching(file) as changes:
        write(tmp_path / "other.yaml", "new")
        write(file, "old")
        remove(tmp_path / "other.yaml")
        write(file, "new")
        await changes.wait_for(1)
        assert changes.count == 1


async def test_change_while_one_is_taken_in(file: Path) -> None:
    """It may have been read before: it is a change of its own."""
    async with watching(file) as changes:
        changes.hold = asyncio.Event()
        write(file, "new")
        await changes.wait_for(1)
        write(file, "newer")
        changes.hold.set()
        await changes.wait_for(2)


async def test_change_before_the_first_look(file: Path) -> None:
    """Between the reading of a configuration and the first look at its file."""
    loaded, changes = contents(file), Changes()
    write(file, "new")
    task = asyncio.create_task(watch_files(lambda: loaded, changes.take))
    await changes.wait_for(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_refused_is_not_tried_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contents in effect stay others than those of the file."""
    looks, looked = 0, asyncio.Event()

    async def signs(*_: object, **__: object) -> AsyncIterator[set[object]]:
        nonlocal looks
        while True:
            looks += 1
            if looks > 3:
                looked.set()
            await asyncio.sleep(0)
            yield set()

    monkeypatch.setattr(watch, "awatch", signs)
    async with watching(file) as changes:
        write(file, "bad")
        await changes.wait_for(1)
        looks = 0
        looked.clear()
        await looked.wait()
        assert changes.count == 1


async def test_files_are_asked_for_again(file: Path, tmp_path: Path) -> None:
    """A change may bring another file to watch; what it held when it was read counts."""
    known, changes = contents(file), Changes()
    routes = tmp_path / "more" / "routes.yaml"
    routes.parent.mkdir()
    write(routes, "old")

    async def take() -> None:
        if routes not in known:
            known.update(contents(routes))
            write(routes, "new")
        await changes.take()

    task = asyncio.create_task(watch_files(lambda: known, take))
    write(file, "new")
    await changes.wait_for(2)
    write(routes, "newer")
    await changes.wait_for(3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_system_that_reports_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are looked at all the same."""
    looks, is_written = asyncio.Semaphore(0), asyncio.Event()

    async def silent(*_: object, **__: object) -> AsyncIterator[set[object]]:
        yield set()
        looks.release()
        await is_written.wait()
        yield set()

    monkeypatch.setattr(watch, "awatch", silent)
    async with watching(file) as changes:
        await looks.acquire()
        assert changes.count == 0
        write(file, "new")
        is_written.set()
        await changes.wait_for(1)


async def test_file_that_comes_with_its_folder(file: Path, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "routes.yaml"
    changes = Changes()
    task = asyncio.create_task(watch_files(lambda: {file: b"old", missing: None}, changes.take))
    write(file, "new")
    await changes.wait_for(1)
    missing.parent.mkdir()
    write(missing, "here")
    await changes.wait_for(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_only_folders_that_exist_are_watched(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses all of them for one that is missing, or that it cannot look at."""
    watched = asyncio.Queue[tuple[Path, ...]]()

    async def signs(*folders: Path, **_: object) -> AsyncIterator[set[object]]:
        watched.put_nowait(folders)
        await asyncio.Event().wait()
        yield set()

    monkeypatch.setattr(watch, "awatch", signs)
    files = {file: b"old", tmp_path / "no" / "file": None, tmp_path / ("long" * 100) / "file": None}
    task = asyncio.create_task(watch_files(lambda: files, Changes().take))
    assert await watched.get() == (tmp_path,)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_no_file_is_not_read(file: Path, tmp_path: Path) -> None:
    """Reading a pipe would wait for its writer."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    changes = Changes()
    task = asyncio.create_task(watch_files(lambda: {file: b"old", pipe: None}, changes.take))
    write(file, "new")
    await changes.wait_for(1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert changes.count == 1


async def test_system_that_watches_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder may just have gone."""

    async def refusing(*_: object, **__: object) -> AsyncIterator[set[object]]:
        raise FileNotFoundError(file.parent)
        yield

    monkeypatch.setattr(watch, "awatch", refusing)
    async with watching(file) as changes:
        for count, text in enumerate(("new", "newer"), 1):
            write(file, text)
            await changes.wait_for(count)
