"""Wire bytes to JSON bytes: our codec beside json_format, the oracle.

pytest benchmarks/codec/test_response_codec.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from google.protobuf import json_format

from benchmarks.codec.messages import Sample, samples
from transcoder.codec import Codec, JsonOptions
from transcoder.schema.shape import Shapes

SAMPLES = samples()
Printer = Callable[[bytes], Any]


def transcoder(sample: Sample) -> Printer:
    return Codec(Shapes(sample.pool), JsonOptions()).response_decoder(sample.name, response_body=None)


def message_to_json(sample: Sample) -> Printer:
    parse: Any = sample.cls.FromString
    return lambda wire: json_format.MessageToJson(parse(wire)).encode()


def message_to_dict_and_orjson(sample: Sample) -> Printer:
    parse: Any = sample.cls.FromString
    return lambda wire: orjson.dumps(json_format.MessageToDict(parse(wire)))


@pytest.mark.parametrize("make", [transcoder, message_to_json, message_to_dict_and_orjson])
@pytest.mark.parametrize("name", SAMPLES)
def test_print(benchmark: Any, name: str, make: Callable[[Sample], Printer]) -> None:
    sample = SAMPLES[name]
    benchmark.group = f"print {name}"
    printed = benchmark(make(sample), sample.wire)
    text = printed[0] if isinstance(printed, tuple) else printed
    assert orjson.loads(text) == orjson.loads(sample.text)
