"""Calls a method with JSON and prints what comes back as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Final

import click
import orjson

from transcoder.cli.explore import find_method
from transcoder.cli.target import Target
from transcoder.cli.text import printable
from transcoder.codec import Codec, JsonOptions
from transcoder.codec.wellknown import HTTP_BODY
from transcoder.errors import TranscodeError
from transcoder.schema.schema import MethodShape

FAILED: Final = 64
"""Added to the gRPC status code, the exit code of a call that failed."""

_ANY_BYTES: Final = "surrogateescape"
"""What is not UTF-8 goes through, as it does in arguments: the codec says what is wrong with it."""

_INDENTED: Final = orjson.OPT_INDENT_2


async def call(target: Target, name: str, data: str, timeout: float | None) -> int:  # noqa: ASYNC109
    """Call a method; returns the exit code.

    data: the request messages as JSON documents one after the other, or `@FILE`, or `@` for stdin.
    """
    text = _read(data)
    async with target.connect() as client:
        schema = await client.schema()
        method = find_method(schema, name)
        codec = Codec(schema.shapes, JsonOptions())
        requests = _requests(codec, method, text)
        show = _printer(codec, method)
        try:
            async with aclosing(client.call(method.path, requests, timeout)) as responses:
                async for wire in responses:
                    show(wire)
        except TranscodeError as error:
            click.echo(_failure(error, codec), err=True)
            return FAILED + error.kind.grpc
    return 0


def documents(text: str) -> Iterator[str]:
    """The JSON documents of a text, which stand one after the other, with or without space between.

    What is no JSON is the last document: its reader says what is wrong with it.
    """
    decoder = json.JSONDecoder()
    text, position = text.rstrip(), 0
    while position < len(text):
        start = position
        if text[start].isspace():
            position += 1
            continue
        try:
            _, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            position = len(text)
        yield text[start:position]


def _read(data: str) -> str:
    if data == "@":
        return sys.stdin.buffer.read().decode(errors=_ANY_BYTES)
    return Path(data[1:]).read_text("utf-8", _ANY_BYTES) if data.startswith("@") else data


def _requests(codec: Codec, method: MethodShape, text: str) -> list[bytes]:
    """The request messages on the wire. A method that takes one gets an empty one when there is no text."""
    encode = codec.encode_json(method.request)
    requests = [encode(document.encode(errors=_ANY_BYTES)) for document in documents(text)]
    if method.client_streaming:
        return requests
    if len(requests) > 1:
        raise click.ClickException(f"{method.full_name} takes one message, not {len(requests)}")
    return requests or [b""]


def _printer(codec: Codec, method: MethodShape) -> Callable[[bytes], None]:
    """What prints a response: indented JSON, or the bytes of a google.api.HttpBody as they are."""
    decode = codec.response_decoder(method.response, response_body=None)
    is_raw = method.response == HTTP_BODY

    def show(wire: bytes) -> None:
        try:
            body, _ = decode(wire)
        except TranscodeError as error:
            raise click.ClickException(error.reason) from error
        click.echo(body if is_raw else orjson.dumps(orjson.loads(body), option=_INDENTED), nl=not is_raw)

    return show


def _failure(error: TranscodeError, codec: Codec) -> str:
    """A failed call as grpcurl tells it."""
    lines = [
        "ERROR:",
        f"  Code: {error.kind.grpc.name.title().replace('_', '')}",
        f"  Message: {printable(error.reason)}",
    ]
    details = codec.status_details(error.status_details)
    if details:
        lines.append("  Details:")
    for number, detail in enumerate(details, 1):
        lines.append(f"  {number}) {json.dumps(detail)}")
    return "\n".join(lines)
