"""JSON text to wire bytes, beside json_format, which is what one would write by hand."""

from __future__ import annotations

from typing import Final

import pytest
from google.protobuf import json_format
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.codec.messages import Sample, samples
from transcoder.codec import Codec, JsonOptions
from transcoder.schema.shape import Shapes

SAMPLES: Final = samples()


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Sample:
    request.getfixturevalue("benchmark").group = request.param
    return SAMPLES[request.param]


def test_codec(benchmark: BenchmarkFixture, sample: Sample) -> None:
    encode = Codec(Shapes(sample.pool), JsonOptions()).encode_json(sample.name)
    assert sample.cls.FromString(benchmark(encode, sample.text)) == sample.cls.FromString(sample.wire)


def test_json_format(benchmark: BenchmarkFixture, sample: Sample) -> None:
    wire = benchmark(lambda: json_format.Parse(sample.text, sample.cls()).SerializeToString())
    assert sample.cls.FromString(wire) == sample.cls.FromString(sample.wire)
