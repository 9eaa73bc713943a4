"""The cases as data."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent

_RULE: Final = re.compile(
    r"(?P<http_method>\S+) (?P<template>\S*)"
    r"(?: body:\"(?P<body>[^\"]*)\")?(?: response_body:\"(?P<response_body>[^\"]*)\")?"
    r"(?: \((?P<remark>.*)\))?"
)
_TAG: Final = re.compile(r"\[(streaming|options): (.*?)\]$")

_DEFAULTS: Final[Mapping[str, Any]] = {
    "query_param_unescape_plus": True,
    "reject_unknown_method": True,
    "ignore_unknown_query_parameters": True,
}
"""Options of other gateways that some cases name: ours by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A google.api.http rule; an implicit one stands for no annotation at all."""

    http_method: str
    template: str
    body: str
    response_body: str
    is_implicit: bool

    @classmethod
    def from_text(cls, text: str) -> Rule:
        match = _RULE.fullmatch(text)
        assert match, f"not a rule: {text}"
        return cls(
            http_method=match["http_method"],
            template=match["template"],
            body=match["body"] or "",
            response_body=match["response_body"] or "",
            is_implicit=match["remark"] == "implicit",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. Its service is `<package>.Rules` with the methods Rule0, Rule1..., one per rule."""

    id: str
    rules: tuple[str, ...]
    additional: tuple[str, ...]
    expect_rule: str | None
    schema: str
    request_type: str
    reply_type: str
    request: Mapping[str, Any]
    upstream: Mapping[str, Any]
    expect_grpc: Any
    expect_http: Mapping[str, Any]
    note: str
    tags: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Case:
        note = value.get("note", "")
        return cls(
            id=value["id"],
            rules=tuple(value.get("rule_set") or [value["rule"]]),
            additional=tuple(value.get("additional", ())),
            expect_rule=value.get("expect_rule"),
            schema=value["schema"],
            request_type=value["request_type"],
            reply_type=value.get("reply_type") or "google.protobuf.Empty",
            request=value["request"],
            upstream=value.get("upstream") or {},
            expect_grpc=value.get("expect_grpc_json"),
            expect_http=value.get("expect_http") or {},
            note=note,
            tags={name: json.loads(text) for name, text in _TAG.findall(note)},
        )

    @property
    def package(self) -> str:
        """The first segment of its paths, too."""
        return self.id.replace("-", "_")

    @property
    def is_implicit(self) -> bool:
        return Rule.from_text(self.rules[0]).is_implicit

    @property
    def is_rejected(self) -> bool:
        return self.expect_http.get("register") == "rejected"

    @property
    def is_down(self) -> bool:
        return bool(self.upstream.get("down"))

    @property
    def streaming(self) -> str | None:
        """`server`, `client` or `bidi`; None for unary."""
        return self.tags.get("streaming")

    @property
    def options(self) -> str:
        """Which gateway the case is for: "" for one with default settings."""
        options = self.tags.get("options", {})
        if isinstance(options, str):
            return options
        assert options.items() <= _DEFAULTS.items(), f"unknown options: {options}"
        return ""

    @property
    def service(self) -> str:
        return self._implicit_name[0] if self.is_implicit else f"{self.package}.Rules"

    def method_name(self, index: int) -> str:
        return self._implicit_name[1] if self.is_implicit else f"Rule{index}"

    def placed(self, path: str) -> str:
        """A path or template below the first segment of the case; one that lacks its slash stays as it is."""
        if self.is_implicit or not path.startswith("/"):
            return path
        return f"/{self.package}{path if path != '/' else ''}"

    @property
    def target(self) -> bytes:
        query = self.request["query"]
        path = self.placed(self.request["path"])
        return (f"{path}?{query}" if query else path).encode()

    @property
    def body(self) -> bytes:
        encoded = self.request.get("body_b64")
        return base64.b64decode(encoded) if encoded else (self.request["body"] or "").encode()

    @property
    def _implicit_name(self) -> list[str]:
        return Rule.from_text(self.rules[0]).template[1:].split("/")


def read_cases(name: str) -> Iterator[Case]:
    """The cases of a file beside this one."""
    for line in (HERE / name).read_text().splitlines():
        yield Case.from_json(json.loads(line))
