"""The cases behind gateways: one backend that answers all of them, and who asks it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from tests.conformance.cases import Case
from tests.conformance.descriptors import full_name
from tests.support.backend import Answer, Call, Handler, RecordingBackend, Reply
from tests.support.gateway import RunningGateway
from tests.support.protos import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """gateways: by what the options of a case ask for."""

    gateways: Mapping[str, RunningGateway]
    backend: RecordingBackend
    schema: Schema

    def gateway(self, case: Case) -> RunningGateway:
        return self.gateways[case.options]

    async def ask(self, case: Case, path: str | None = None) -> httpx.Response:
        """The request of a case, its target byte for byte; or a GET of another path of it."""
        client = self.gateway(case).client
        if path is not None:
            return await client.get(case.placed(path))
        request = client.build_request(
            "",
            "/",
            content=case.body,
            headers=[(name, value.encode("latin-1")) for name, value in case.request["headers"].items()],
            extensions={"target": case.target},
        )
        request.method = case.request["method"]
        return await client.send(request)

    def calls(self, case: Case) -> list[Call]:
        return [call for call in self.backend.calls if call.method.startswith(f"{case.service}/")]

    def parse(self, case: Case, value: Any) -> Message:
        """A message of the request type from ProtoJSON."""
        return ParseDict(
            value, _message(self.schema, case, case.request_type), descriptor_pool=self.schema.pool
        )


def replies(cases: Iterable[Case], schema: Schema) -> dict[str, Reply | Handler]:
    """What the backend answers, by method."""
    return {
        f"{case.service}/{case.method_name(index)}": _reply(case, schema)
        for case in cases
        for index in range(len(case.rules))
    }


def _reply(case: Case, schema: Schema) -> Reply | Handler:
    answer = _answer(case, schema)
    if case.upstream.get("echo"):
        return _echo(lambda: _message(schema, case, case.reply_type))
    delay = case.upstream.get("delay_s", 0)
    return _after(delay, answer) if delay else answer


def _message(schema: Schema, case: Case, name: str) -> Message:
    return schema.message(full_name(case.service.rpartition(".")[0], name))


def _answer(case: Case, schema: Schema) -> Answer:
    error = case.upstream.get("error") or {"code": 0, "message": ""}
    trailers = _metadata(case.upstream.get("trailers"))
    if "details_b64" in error:
        trailers.append(("grpc-status-details-bin", base64.b64decode(error["details_b64"] + "==")))
    return Answer(
        messages=[
            ParseDict(value, _message(schema, case, case.reply_type), descriptor_pool=schema.pool)
            for value in _values(case.upstream)
        ],
        metadata=_metadata(case.upstream.get("metadata")),
        trailers=trailers,
        code=next(code for code in grpc.StatusCode if code.value[0] == error["code"]),
        text=error["message"],
    )


def _values(upstream: Mapping[str, Any]) -> list[Any]:
    if "stream" in upstream:
        return list(upstream["stream"])
    return [] if "error" in upstream else [upstream.get("reply") or {}]


def _metadata(values: Mapping[str, str | list[str]] | None) -> list[tuple[str, str | bytes]]:
    return [
        (key, one)
        for key, value in (values or {}).items()
        for one in ([value] if isinstance(value, str) else value)
    ]


def _echo(new: Callable[[], Message]) -> Handler:
    async def echo(call: Call) -> Reply:
        async for _ in call.requests():
            pass
        message = new()
        message.ParseFromString(call.wire[-1])
        return message

    return echo


def _after(seconds: float, answer: Answer) -> Handler:
    async def wait(call: Call) -> Reply:
        async for _ in call.requests():
            pass
        await asyncio.sleep(seconds)
        return answer

    return wait
