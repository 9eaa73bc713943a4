"""What `serve` was asked to do: where the configuration comes from and what the command line overrides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transcoder.config.backends import config_for_backends
from transcoder.config.load import LoadedConfig, load_config
from transcoder.routing.template import parse_template


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """One `transcoder serve`. path: the configuration file, or None when `backends` stand for one.

    addresses: of services, by name, instead of what the configuration says. The rest overrides keys of the
    configuration where it is not None.
    """

    path: str | None = None
    backends: tuple[str, ...] = ()
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    admin_port: int | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)

    def load(self, remembered: Mapping[Path, bytes] | None = None) -> LoadedConfig:
        """Read the configuration as it is now. Raises ConfigError.

        remembered: the `files` of an earlier load, to have its configuration again.
        """
        loaded = self._read(remembered)
        overrides = {"host": self.host, "port": self.port, "workers": self.workers}
        server = loaded.config.server.model_copy(update=_given(overrides))
        admin = loaded.config.admin.model_copy(update=_given({"port": self.admin_port}))
        services = {
            name: service.model_copy(update=_given({"address": self.addresses.get(name)}))
            for name, service in loaded.config.services.items()
        }
        return LoadedConfig(
            config=loaded.config.model_copy(update={"server": server, "admin": admin, "services": services}),
            files=loaded.files,
        )

    def _read(self, remembered: Mapping[Path, bytes] | None) -> LoadedConfig:
        if self.path is None:
            return LoadedConfig(config=config_for_backends(self.backends), files={})
        return load_config(Path(self.path), os.environ, parse_template, remembered)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
