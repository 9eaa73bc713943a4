"""Messages of 1 to 10,000 items: the codec both ways beside json_format, and the whole way beside Envoy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from benchmarks.cells import SERVICE, WORKLOADS, Cell
from benchmarks.growth.series import Growth, Panel, Points, seconds_of
from benchmarks.sample import Sample
from benchmarks.targets import ENVOY, GATEWAY, Measure, Site, running_targets
from transcoder.codec import Codec, JsonOptions
from transcoder.schema.schema import Schema
from transcoder.schema.source import from_descriptor_set

SIZES: Final = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)
CONNECTIONS: Final = 8
_ITEM: Final = {"sku": "SKU-000123", "quantity": 3, "price": 19.75, "status": 2}
_LIST: Final = f"{SERVICE.rpartition('.')[0]}.ItemList"
_X: Final = "items in a message"


def measure_sizes(site: Site, seconds: int, sizes: Sequence[int] = SIZES) -> Growth:
    """seconds: of load for each size."""
    panels = [*codec_panels(site.built.descriptors.read_bytes(), sizes)]
    with running_targets(site, [GATEWAY, ENVOY], [False]) as targets:
        panels += _panels_of_the_way(targets, seconds, sizes)
    return Growth(name="sizes", title="Cost over the size of messages", panels=panels)


def codec_panels(descriptors: bytes, sizes: Sequence[int]) -> Iterator[Panel]:
    """The codec alone, in both directions."""
    shapes = Schema.from_files(from_descriptor_set(descriptors)).shapes
    codec = Codec(shapes, JsonOptions())
    encode, decode = codec.encode_json(_LIST), codec.response_decoder(_LIST, response_body=None)
    cls: type[Message] = GetMessageClass(shapes.pool.FindMessageTypeByName(_LIST))
    wires = {size: cls(items=[_ITEM] * size).SerializeToString() for size in sizes}
    texts = {size: decode(wire)[0] for size, wire in wires.items()}

    def print_slowly(wire: bytes) -> str:
        return MessageToJson(cls.FromString(wire), indent=None)

    def parse_slowly(text: bytes) -> bytes:
        return Parse(text, cls()).SerializeToString()

    yield _codec_panel("protobuf to JSON", wires, decode, print_slowly)
    yield _codec_panel("JSON to protobuf", texts, encode, parse_slowly)


def _codec_panel(
    title: str,
    inputs: Mapping[int, bytes],
    ours: Callable[[bytes], object],
    reference: Callable[[bytes], object],
) -> Panel:
    lines: dict[str, Points] = {
        name: [(size, seconds_of(partial(convert, data)) * 1e6) for size, data in inputs.items()]
        for name, convert in ((GATEWAY, ours), ("json_format", reference))
    }
    return Panel(x=_X, y=f"us, {title}", lines=lines)


def _panels_of_the_way(targets: Mapping[str, Measure], seconds: int, sizes: Sequence[int]) -> Iterator[Panel]:
    workload = next(workload for workload in WORKLOADS if workload.name == "list")
    samples: dict[str, list[tuple[int, Sample]]] = {name: [] for name in targets}
    for size in sizes:
        asked = replace(workload, target=f"/v1/items?count={size}")
        cell = Cell(workload=asked, connections=CONNECTIONS, has_auth=False)
        for name, measure in targets.items():
            if sample := measure(cell, seconds):
                samples[name].append((size, sample))
    costs = {name: [(size, one.cost * 1e6) for size, one in found] for name, found in samples.items()}
    waits = {name: [(size, one.load.p50 * 1e3) for size, one in found] for name, found in samples.items()}
    yield Panel(x=_X, y="us of CPU for each GET", lines=costs)
    yield Panel(x=_X, y=f"ms to the answer (p50, {CONNECTIONS} connections)", lines=waits)
