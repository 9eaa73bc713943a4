"""Names from a backend's schema that are markup: a browser that shows an answer of ours runs none of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.protos import Schema

SCRIPT: Final = "</script><script>alert(1)</script>"
PROTO: Final = """
syntax = "proto3";
package page.v1;
service Pages { rpc Get(Ask) returns (Ask); }
message Ask { string name = 1; }
"""


def hostile_files() -> bytes:
    """JSON names may be any text, comments too; other names are identifiers."""
    files = FileDescriptorSet()
    files.CopyFrom(Schema.from_protos(PROTO).files)
    (file,) = files.file
    file.message_type[0].field[0].json_name = SCRIPT
    file.source_code_info.location.add(path=[4, 0], span=[0, 0, 0], leading_comments=SCRIPT)
    return files.SerializeToString()


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    (tmp_path / "page.binpb").write_bytes(hostile_files())
    service = {"address": "127.0.0.1:1", "expose": ["methods"], "descriptor_set": "page.binpb"}
    async with running_gateway({"services": {"page": service}}, tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "/services/page/types/page.v1.Ask",
        f"/services/page/types/{SCRIPT.replace('/', '%2F')}",
        f"/services/{SCRIPT.replace('/', '%2F')}",
        f"/routes/explain?method=GET&path=/{SCRIPT}",
    ],
)
async def test_admin_answers_are_no_pages(gateway: RunningGateway, path: str) -> None:
    answer = await gateway.admin.get(path)
    assert "<script>" in str(json.loads(answer.content))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_errors_are_no_pages(gateway: RunningGateway) -> None:
    answer = await gateway.client.post("/page.v1.Pages/Get", json={SCRIPT + "x": 1})
    assert answer.status_code == 400
    assert "<script>" in answer.json()["error"]["message"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
