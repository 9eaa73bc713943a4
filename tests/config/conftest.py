"""Configuration files in a directory of their own, the current one: problems call them `config.yaml`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from transcoder.config.load import LoadedConfig, load_config
from transcoder.errors import ConfigError
from transcoder.routing.template import parse_template

Load = Callable[..., LoadedConfig]
Problems = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Writes config.yaml, and routes.yaml if given, and loads them."""
    monkeypatch.chdir(tmp_path)

    def load(text: str | bytes, *, routes: str | bytes | None = None, **environ: str) -> LoadedConfig:
        for name, content in (("config.yaml", text), ("routes.yaml", routes)):
            if content is not None:
                Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        return load_config(Path("config.yaml"), environ, parse_template)

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """Loads what cannot be loaded: the problems, as printed."""

    def problems(text: str | bytes, **options: str | bytes) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, **options)
        assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
        return [str(problem) for problem in caught.value.problems]

    return problems
