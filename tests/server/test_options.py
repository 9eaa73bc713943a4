"""What the command line says over the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from transcoder.errors import ConfigError
from transcoder.server.options import ServeOptions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("server: {port: 1, host: 127.0.0.2}\nservices: {shop: {address: '${SHOP}'}}\n")
    return path


def test_file_as_it_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "shop:1")
    loaded = ServeOptions(path=str(file)).load()
    server = loaded.config.server
    assert (server.host, server.port, server.workers, loaded.config.admin.port) == ("127.0.0.2", 1, 1, 9901)
    assert loaded.config.services["shop"].address == "shop:1"
    assert file in loaded.files


def test_command_line_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "shop:1")
    options = ServeOptions(path=str(file), host="127.0.0.3", port=0, workers=0, admin_port=2)
    config = options.load().config
    assert (config.server.host, config.server.port, config.server.workers) == ("127.0.0.3", 0, 0)
    assert config.admin.port == 2


def test_services_are_somewhere_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "shop:1")
    options = ServeOptions(path=str(file), addresses={"shop": "elsewhere:2", "unknown": "x:1"})
    services = options.load().config.services
    assert {name: service.address for name, service in services.items()} == {"shop": "elsewhere:2"}


def test_file_is_read_every_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "shop:1")
    options = ServeOptions(path=str(file), port=5)
    options.load()
    file.write_text("server: {port: 7, request_timeout: 3s}\n")
    config = options.load().config
    assert (config.server.port, config.server.request_timeout) == (5, 3)
    file.write_text("nonsense: 1\n")
    with pytest.raises(ConfigError):
        options.load()


def test_backends_without_a_file() -> None:
    loaded = ServeOptions(backends=("shop=shop:1", "other:2"), port=5).load()
    assert {name: one.address for name, one in loaded.config.services.items()} == {
        "shop": "shop:1",
        "backend": "other:2",
    }
    assert loaded.config.services["shop"].expose == ("annotations", "methods")
    assert loaded.config.server.port == 5
    assert loaded.files == {}
