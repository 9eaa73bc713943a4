"""One gateway per set of options, in front of one backend, for all cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.conformance.cases import read_cases
from tests.conformance.descriptors import file_set
from tests.conformance.site import Site, replies
from tests.support.backend import RecordingBackend
from tests.support.gateway import running_gateway
from tests.support.ports import free_port
from tests.support.protos import Schema

OPPOSITE: Final[dict[str, Any]] = {
    "json": {
        "preserve_proto_field_names": True,
        "always_print_fields": True,
        "enums_as_ints": True,
        "unknown_fields": "ignore",
        "unknown_query": "reject",
    },
    "errors": {"format": "google"},
}
GOOGLE: Final[dict[str, Any]] = {"errors": {"format": "google"}}


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Gateways before one backend: as it comes, unlike that in all that shows here, with google's errors."""
    cases = [*read_cases("transcoding_cases.jsonl"), *read_cases("own_cases.jsonl")]
    schema = Schema.from_files(file_set(case for case in cases if not case.is_down))
    down = tmp_path_factory.mktemp("down") / "down.binpb"
    down.write_bytes(file_set(case for case in cases if case.is_down).SerializeToString())
    async with RecordingBackend(schema, replies(cases, schema)) as backend:
        services = {
            "up": {
                "address": backend.address,
                "expose": ["annotations", "methods"],
                "retries": {"max_attempts": 1},  # a case is one call
                "circuit_breaker": {"failures": 0},
            },
            "down": {
                "address": f"127.0.0.1:{free_port()}",
                "expose": ["annotations"],
                "descriptor_set": str(down),
            },
        }
        async with (
            running_gateway({"services": services}, tmp_path_factory.mktemp("default")) as default,
            running_gateway(
                {"services": services, **OPPOSITE}, tmp_path_factory.mktemp("opposite")
            ) as opposite,
            running_gateway({"services": services, **GOOGLE}, tmp_path_factory.mktemp("google")) as google,
        ):
            gateways = {"": default, "opposite": opposite, "google": google}
            yield Site(gateways=gateways, backend=backend, schema=schema)
