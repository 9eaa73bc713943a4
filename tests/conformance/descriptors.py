"""The cases as protobuf: a file each, with the messages of its schema and a method per rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from tests.conformance.cases import HERE, Case, Rule

SOUND: Final = "/sound"
"""Where the sound rule beside a rejected one is served."""

_IMPORTS: Final = (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
    http_pb2,
    annotations_pb2,
    httpbody_pb2,
)
_FIELD: Final = re.compile(
    r"(?:(?P<label>optional|repeated) )?(?P<type>[\w.:<>,]+)(?:@(?P<oneof>\w+))?(?:\|json=(?P<json_name>.+))?"
)
_HELLO: Final = {"messages": {"HelloReply": {"message": "string"}}}
_KINDS: Final = ("get", "put", "post", "delete", "patch")


def file_set(cases: Iterable[Case]) -> FileDescriptorSet:
    """The file of each case, after all that it imports."""
    return FileDescriptorSet(file=_files(cases))


def _files(cases: Iterable[Case]) -> Iterator[FileDescriptorProto]:
    schemas = json.loads((HERE / "schemas.json").read_text())
    for module in _IMPORTS:
        yield FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    hello = _file("helloworld", _HELLO)
    yield hello
    for case in cases:
        file = _file(case.service.rpartition(".")[0], schemas[case.schema])
        file.dependency.append(hello.name)
        file.service.append(_service(case))
        yield file


def _file(package: str, schema: Mapping[str, Any]) -> FileDescriptorProto:
    return FileDescriptorProto(
        name=f"{package}.proto",
        package=package,
        syntax="proto3",
        dependency=[module.DESCRIPTOR.name for module in _IMPORTS],
        message_type=[_message(package, *item) for item in schema["messages"].items()],
        enum_type=[_enum(*item) for item in schema.get("enums", {}).items()],
    )


def _enum(name: str, values: list[str]) -> EnumDescriptorProto:
    enum = EnumDescriptorProto(name=name)
    for number, value in enumerate(values):
        enum.value.add(name=value, number=number)
    return enum


def _message(package: str, name: str, fields: Mapping[str, str]) -> DescriptorProto:
    message = DescriptorProto(name=name)
    specs = {field: _parsed(field, spec) for field, spec in fields.items()}
    oneofs = list(dict.fromkeys(spec["oneof"] for spec in specs.values() if spec["oneof"]))
    oneofs.sort(key=lambda oneof: oneof[1:] in specs)  # those of `optional` come last
    for oneof in oneofs:
        message.oneof_decl.add(name=oneof)
    for number, (field, spec) in enumerate(specs.items(), 1):
        proto = message.field.add(name=field, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if spec["type"].startswith("map<"):
            message.nested_type.append(_map_entry(package, name, proto, spec["type"]))
            continue
        _set_type(package, proto, spec["type"])
        if spec["label"] == "repeated":
            proto.label = FieldDescriptorProto.LABEL_REPEATED
        if spec["json_name"]:
            proto.json_name = spec["json_name"]
        if spec["oneof"]:
            proto.oneof_index = oneofs.index(spec["oneof"])
            proto.proto3_optional = spec["label"] == "optional"
    return message


def _parsed(field: str, text: str) -> dict[str, str]:
    match = _FIELD.fullmatch(text)
    assert match, f"not a field: {text}"
    spec = match.groupdict(default="")
    return spec | ({"oneof": f"_{field}"} if spec["label"] == "optional" else {})


def _map_entry(package: str, owner: str, proto: FieldDescriptorProto, spec: str) -> DescriptorProto:
    entry = DescriptorProto(name=f"{proto.name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    for number, kind in enumerate(spec[4:-1].split(","), 1):
        part = entry.field.add(name=("", "key", "value")[number], number=number)
        part.label = FieldDescriptorProto.LABEL_OPTIONAL
        _set_type(package, part, kind)
    proto.label = FieldDescriptorProto.LABEL_REPEATED
    proto.type_name = f".{package}.{owner}.{entry.name}"
    return entry


def _set_type(package: str, proto: FieldDescriptorProto, kind: str) -> None:
    if kind.islower() and not kind.startswith(("enum:", "google.")):
        proto.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    else:  # a message or an enum: the pool finds out which
        proto.type_name = full_name(package, kind.removeprefix("enum:"), lead=".")


def full_name(package: str, name: str, lead: str = "") -> str:
    """The full name of a type of a package, or of a well-known one."""
    return f"{lead}{name}" if name.startswith("google.") else f"{lead}{package}.{name}"


def _service(case: Case) -> ServiceDescriptorProto:
    package, _, name = case.service.rpartition(".")
    service = ServiceDescriptorProto(name=name)
    for index, text in enumerate(case.rules):
        if text == "(none matches)":
            continue
        method = service.method.add(
            name=case.method_name(index),
            input_type=full_name(package, case.request_type, lead="."),
            output_type=full_name(package, case.reply_type, lead="."),
            client_streaming=case.streaming in ("client", "bidi"),
            server_streaming=case.streaming in ("server", "bidi"),
        )
        rules = [_http_rule(case, rule) for rule in (text, *case.additional)]
        if not case.is_implicit:
            rules[0].additional_bindings.extend(rules[1:])
            method.options.Extensions[annotations_pb2.http].CopyFrom(rules[0])
    if case.is_rejected:
        empty = f".{empty_pb2.Empty.DESCRIPTOR.full_name}"
        sound = service.method.add(name="Sound", input_type=empty, output_type=empty)
        sound.options.Extensions[annotations_pb2.http].get = case.placed(SOUND)
    return service


def _http_rule(case: Case, text: str) -> HttpRule:
    rule = Rule.from_text(text)
    http_rule = HttpRule(body=rule.body, response_body=rule.response_body)
    template, kind = case.placed(rule.template), rule.http_method.lower()
    if kind in _KINDS:
        setattr(http_rule, kind, template)
    else:
        http_rule.custom.kind, http_rule.custom.path = rule.http_method, template
    return http_rule
