"""Configuration files that would do more than configure: refused with their line, and the gateway goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.e2e.shop import Site, route, schema
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAUGHS: Final = "\n".join(
    ["a0: &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
)
HOSTILE: Final = {
    "function": (
        "server: !!python/object/apply:pathlib.Path.touch\n- !!python/object/apply:pathlib.Path [MADE]",
        'config.yaml:1: the tag "tag:yaml.org,2002:python/object/apply:pathlib.Path.touch" is not allowed',
    ),
    "command": ("server:\n  host: !!python/object/apply:os.system ['touch MADE']", "config.yaml:2: the tag"),
    "module": ("server:\n  host: !!python/module:antigravity ''", "config.yaml:2: the tag"),
    "own tag": ("server:\n\n  host: !include /etc/passwd", 'config.yaml:3: the tag "!include"'),
    "billion laughs": (LAUGHS, "config.yaml:1: is nested too deeply or too long"),
    "cycle": ("server: &s {tls: *s}", "config.yaml:1: is nested too deeply or too long"),
    "depth": ("[" * 100_000, "config.yaml:1: is nested too deeply or too long"),
    "size": ("#" * (5 * 1024 * 1024), "config.yaml: is larger than 4MiB"),
    "duplicate key": ("server: {}\nserver: {}", "config.yaml:2: server: is here twice, first on line 1"),
    "merge key": ("a: &a {port: 1}\nserver: {<<: *a}", "config.yaml:2: server: merge keys"),
    "unknown key": ("server:\n  prot: 1", "config.yaml:2: server.prot"),
    "command in the environment": ("server:\n  host: $(touch MADE)", "config.yaml:2: server.host"),
    "endless number": (
        "server:\n  host: a\n  port: 99999999999999999999999999999999",
        "config.yaml:3: server.port",
    ),
    "lines": ('server: {host: "a\\n{\\"event\\":\\"forged\\"}"}', "config.yaml:1: server.host"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with RecordingBackend(schema()) as backend:
        config = {
            "services": {"shop": {"address": backend.address}},
            "routes": [route("get-order", "GET", "/orders/{order_id}")],
        }
        async with running_gateway(config, tmp_path_factory.mktemp("config")) as gateway:
            yield Site(gateway=gateway, backend=backend)


def _replace(file: Path, text: str) -> None:
    """Put another file in its place, at once."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


@pytest.mark.parametrize("what", HOSTILE)
async def test_it_is_refused_with_its_place(site: Site, tmp_path: Path, what: str) -> None:
    text, problem = HOSTILE[what]
    made = tmp_path / "made"
    _replace(site.gateway.config_file, text.replace("MADE", str(made)))
    answer = await site.gateway.admin.post("/reload", timeout=10)
    assert answer.status_code == 400
    assert len(answer.content) < 20_000
    told = [detail["problem"] for detail in answer.json()["error"]["details"]]
    assert [one for one in told if one.startswith(f"{site.gateway.config_file.parent}/{problem}")], told
    assert not made.exists()
    assert (await site.gateway.client.get("/orders/7")).status_code == 200


async def test_the_log_is_not_forged_by_it(site: Site) -> None:
    _replace(site.gateway.config_file, HOSTILE["lines"][0])
    assert (await site.gateway.admin.post("/reload")).status_code == 400
    lines = site.gateway.process.stderr
    assert "forged" not in {json.loads(line)["event"] for line in lines}
    assert max(map(len, lines)) < 10_000
