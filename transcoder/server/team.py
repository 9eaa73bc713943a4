"""What the workers of one gateway have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

_LAST_GOOD: Final = "last-good.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The workers of one gateway, as one of them sees them.

    slot: this one's number, from 0, which its replacement inherits; size: how many there are.
    folder: private, where they leave things for each other, None when there is only one.
    memories: of the metrics of every slot (file descriptors), none when nobody can ask for metrics.
    """

    slot: int = 0
    size: int = 1
    folder: Path | None = None
    memories: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """What this worker is called in metrics."""
        return str(self.slot)

    def report_ready(self) -> None:
        """Tell the others that this slot has been ready once."""
        if self.folder is not None:
            (self.folder / f"{self.slot}.ready").touch()

    @property
    def is_complete(self) -> bool:
        """Whether every slot has been ready once, even if its worker is being replaced now."""
        return self.folder is None or sum(1 for _ in self.folder.glob("*.ready")) >= self.size

    def remember(self, files: Mapping[Path, bytes]) -> None:
        """Keep the files of a configuration that was taken over, for workers that start later."""
        if self.folder is None:
            return
        texts = {str(path): contents.decode() for path, contents in files.items()}
        draft = self.folder / f"{_LAST_GOOD}.{self.slot}"
        draft.write_bytes(orjson.dumps(texts))
        draft.replace(self.folder / _LAST_GOOD)

    def recall(self) -> dict[Path, bytes]:
        """The files of the last configuration that was taken over, none if nothing is remembered."""
        if self.folder is None:
            return {}
        texts = orjson.loads((self.folder / _LAST_GOOD).read_bytes())
        return {Path(path): text.encode() for path, text in texts.items()}


def forget_worker(folder: Path, pid: int) -> None:
    """Remove what a dead worker could not."""
    (folder / f"{pid}.sock").unlink(missing_ok=True)
