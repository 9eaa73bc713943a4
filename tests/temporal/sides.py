"""One request asked twice: through Temporal's own REST API, and through the gateway."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final

import grpc
import httpx
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc.code_pb2 import Code
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

NAMESPACES: Final = ("north", "south")
"""Theirs and ours: what one side writes the other does not see."""

_TIME: Final = r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z"
_TOKEN: Final = r"[A-Za-z0-9+/]+=*"

VOLATILE: Final = {
    **dict.fromkeys(
        (
            "closeTime",
            "createTime",
            "createdTime",
            "currentStateStartedTime",
            "eventTime",
            "executionExpirationTime",
            "executionTime",
            "futureActionTimes",
            "lastModifiedTime",
            "lastStartedTime",
            "originalScheduledTime",
            "originalStartTime",
            "runExpirationTime",
            "scheduleTime",
            "scheduledTime",
            "startTime",
            "updateTime",
            "workflowExecutionExpirationTime",
        ),
        _TIME,
    ),
    **dict.fromkeys(("conflictToken", "longPollToken", "nextPageToken"), _TOKEN),
    "executionDuration": r"\d+(\.\d{3}|\.\d{6}|\.\d{9})?s",
    **dict.fromkeys(("historySizeBytes", "stateSizeBytes", "taskId"), r"\d+"),
}
"""Keys whose values are of the moment, and the form they must have. Ids are compared by where they recur."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_RENAMED: Final = {
    "DEADLINE_EXCEEDED": "TIMEOUT",
    "INTERNAL": "INTERNAL_ERROR",
    "UNAVAILABLE": "SERVICE_UNAVAILABLE",
    "UNKNOWN": "INTERNAL_ERROR",
}
"""gRPC codes that docs/http.md gives another name."""

_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """raw: the JSON as sent. told: the same in the form both sides share, without what is of the moment.

    An error is told as `{code, message, details}`, with the name of the code.
    """

    status: int
    raw: Any
    told: Any

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.told["code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """media_type: with this one their API neither abbreviates payloads nor reads them so."""

    client: httpx.AsyncClient
    namespace: str
    media_type: str
    types: DescriptorPool

    async def ask(
        self, method: str, path: str, body: object = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        """path: below the namespace, or from the root. body: JSON, or bytes to send as they are.

        `<namespace>` in either is the side's own.
        """
        place = path if path.startswith("/") else f"/api/v1/namespaces/<namespace>/{path}"
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.client.request(
            method,
            place.replace("<namespace>", self.namespace),
            content=content and content.replace(b"<namespace>", self.namespace.encode()),
            headers={"Accept": self.media_type, "Content-Type": self.media_type, **(headers or {})},
        )
        raw = answer.json()
        told = raw if answer.is_success else self._refusal(raw)
        return Answer(status=answer.status_code, raw=raw, told=self._settled(told, {}))

    def _refusal(self, body: dict[str, Any]) -> dict[str, Any]:
        """`google.rpc.Status` or the gateway's error as one; what a detail says, whoever decodes it."""
        error = body.get("error", body)
        code = error["code"] if "error" in body else Code.Name(error["code"])
        return {
            "code": _RENAMED.get(code, code),
            "message": error["message"],
            "details": [self._detail(detail) for detail in error.get("details", ())],
        }

    def _detail(self, detail: dict[str, Any]) -> dict[str, Any]:
        """A detail of a type that reflection did not bring is base64; the type is there for the asking."""
        if detail.keys() != {"@type", "value"}:
            return detail
        kind = GetMessageClass(self.types.FindMessageTypeByName(detail["@type"].rpartition("/")[2]))
        return {"@type": detail["@type"], **MessageToDict(kind.FromString(base64.b64decode(detail["value"])))}

    def _settled(self, value: Any, ids: dict[str, str], key: str = "") -> Any:
        """A value without its side and its moment: ids are numbered in order of appearance."""
        if isinstance(value, dict):
            return {self._settled(name, ids): self._settled(value[name], ids, name) for name in sorted(value)}
        if isinstance(value, list):
            return [self._settled(item, ids, key) for item in value]
        if not isinstance(value, str):
            return value
        if key in VOLATILE and re.fullmatch(VOLATILE[key], value):
            return f"<{key}>"
        numbered = _UUID.sub(lambda found: ids.setdefault(found[0], f"<id {len(ids)}>"), value)
        return numbered.replace(self.namespace, "<namespace>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Their REST API and our gateway, in front of the same server."""

    theirs: Side
    ours: Side

    async def ask(self, *request: Any, **options: Any) -> tuple[Answer, Answer]:
        """What they and we answer to one request."""
        theirs, ours = await asyncio.gather(
            self.theirs.ask(*request, **options), self.ours.ask(*request, **options)
        )
        return theirs, ours

    async def same(self, *request: Any, status: int = 200, **options: Any) -> Any:
        """Both answer alike, with this status; returns our JSON."""
        theirs, ours = await self.ask(*request, **options)
        assert (ours.status, ours.told) == (theirs.status, theirs.told)
        assert ours.status == status, ours.raw
        return ours.raw

    async def refused(self, status: int, code: str, *request: Any, **options: Any) -> Any:
        """Both refuse with this status, code and the same words; returns our error."""
        error = (await self.same(*request, status=status, **options))["error"]
        assert error["code"] == code
        return error

    async def same_in_time(self, wanted: Any, *request: Any) -> Any:
        """Both answer alike, once both answers have all the items of `wanted`; returns our JSON.

        Temporal's lists and counts come after the fact.
        """
        async with asyncio.timeout(_PATIENCE):
            while True:
                theirs, ours = await self.ask(*request)
                if all(wanted.items() <= answer.raw.items() for answer in (theirs, ours)):
                    break
                await asyncio.sleep(0.05)
        assert ours.told == theirs.told
        return ours.raw


def reflected_types(address: str) -> DescriptorPool:
    """Everything a server describes by reflection, read when asked for, by grpc's own client."""
    return DescriptorPool(ProtoReflectionDescriptorDatabase(grpc.insecure_channel(address)))
