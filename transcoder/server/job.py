"""What a worker process is to do, as the supervisor tells it."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from transcoder.server.options import ServeOptions
from transcoder.server.sockets import Sockets, join
from transcoder.server.team import Team

JOB: Final = "TRANSCODER_WORKER_JOB"
"""Environment variable with the job, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One worker's job. public, admin: inherited file descriptors, see `sockets.reserve`."""

    options: ServeOptions
    team: Team
    public: int
    admin: int | None

    @property
    def inherited(self) -> tuple[int, ...]:
        """The file descriptors the process has to inherit."""
        return (self.public, *(() if self.admin is None else (self.admin,)), *self.team.memories)

    def sockets(self) -> Sockets:
        """The sockets of this worker: to be called once, in its process."""
        return Sockets(
            public=join(socket.socket(fileno=self.public)),
            admin=None if self.admin is None else socket.socket(fileno=self.admin),
        )

    def to_json(self) -> str:
        """The job as text."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job of a text."""
        job = json.loads(text)
        options, team = job["options"], job["team"]
        return cls(
            options=ServeOptions(**{**options, "backends": tuple(options["backends"])}),
            team=Team(**{**team, "folder": Path(team["folder"]), "memories": tuple(team["memories"])}),
            public=job["public"],
            admin=job["admin"],
        )
