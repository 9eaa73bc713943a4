"""What a backend offers, read from its descriptors: one immutable `Schema` per generation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from transcoder.schema.pool import build_pool
from transcoder.schema.shape import Shapes
from transcoder.schema.source import FileSet, to_descriptor_set

_MOST_PROBLEMS: Final = 100
_LONGEST_PROBLEM: Final = 500


class SchemaError(LookupError):
    """A name the schema does not have, or has more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodShape:
    """A gRPC method.

    request and response: full message names; options: a serialized google.protobuf.MethodOptions;
    is_idempotent: their `idempotency_level` promises that a call may be made twice.
    """

    service: str
    name: str
    request: str
    response: str
    client_streaming: bool
    server_streaming: bool
    options: bytes = b""
    is_idempotent: bool = False

    @property
    def full_name(self) -> str:
        """`pkg.Service/Method`, as grpcurl writes it."""
        return f"{self.service}/{self.name}"

    @property
    def path(self) -> str:
        """The HTTP/2 path of the method."""
        return f"/{self.service}/{self.name}"

    @property
    def streaming(self) -> str:
        """`unary`, `server`, `client` or `bidi`."""
        kinds = {(False, False): "unary", (False, True): "server", (True, False): "client"}
        return kinds.get((self.client_streaming, self.server_streaming), "bidi")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceShape:
    """A gRPC service and its methods in the order of its proto."""

    full_name: str
    methods: Mapping[str, MethodShape]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One generation of a backend's descriptors.

    origin: `v1`, `v1alpha` or `descriptor_set`; fingerprint: SHA-256 of what the backend sent;
    problems: what was left out, a sentence each; files: serialized, imports before importers.
    """

    services: Mapping[str, ServiceShape]
    shapes: Shapes
    origin: str
    fingerprint: str
    problems: tuple[str, ...]
    files: tuple[bytes, ...]

    @classmethod
    def from_files(cls, source: FileSet) -> Schema:
        """Build the pool and read the wanted services; one that cannot be built is left out and reported."""
        built = build_pool(source.files)
        services = {}
        missing = []
        for name in source.services:
            try:
                services[name] = _service_shape(built.pool.FindServiceByName(name))
            except KeyError:
                missing.append(f"service {name!r} left out: its description is missing or broken")
        return cls(
            services=services,
            shapes=Shapes(built.pool),
            origin=source.origin,
            fingerprint=source.fingerprint(),
            problems=_bounded([*source.problems, *built.problems, *missing]),
            files=built.files,
        )

    def methods(self) -> Iterator[MethodShape]:
        """Every method of every service."""
        for service in self.services.values():
            yield from service.methods.values()

    def service(self, name: str) -> ServiceShape:
        """A service by its full name, or by a short one that is unique. Raises SchemaError."""
        if name in self.services:
            return self.services[name]
        candidates = [full for full in self.services if full.rpartition(".")[2] == name]
        if len(candidates) == 1:
            return self.services[candidates[0]]
        if candidates:
            raise SchemaError(f"service name {name!r} is ambiguous: {', '.join(sorted(candidates))}")
        raise SchemaError(f"no service {name!r}; there are: {', '.join(sorted(self.services)) or 'none'}")

    def method(self, service: str, name: str) -> MethodShape:
        """A method of a service named in full or short. Raises SchemaError."""
        owner = self.service(service)
        try:
            return owner.methods[name]
        except KeyError:
            known = ", ".join(owner.methods) or "none"
            raise SchemaError(
                f"service {owner.full_name!r} has no method {name!r}; there are: {known}"
            ) from None

    def descriptor_set(self) -> bytes:
        """The whole schema as a serialized FileDescriptorSet, imports before importers."""
        return to_descriptor_set(self.files)


def _bounded(problems: Sequence[str]) -> tuple[str, ...]:
    """Sentences that can be shown and logged: a backend decides how many there are, and names things."""
    told = [problem[:_LONGEST_PROBLEM] for problem in problems[:_MOST_PROBLEMS]]
    rest = len(problems) - len(told)
    return (*told, f"{rest} more were left out or missing") if rest else tuple(told)


def _service_shape(service: ServiceDescriptor) -> ServiceShape:
    methods = (_method_shape(service.full_name, method) for method in service.methods)
    return ServiceShape(full_name=service.full_name, methods={method.name: method for method in methods})


def _method_shape(service: str, method: MethodDescriptor) -> MethodShape:
    options = method.GetOptions()
    return MethodShape(
        service=service,
        name=method.name,
        request=method.input_type.full_name,
        response=method.output_type.full_name,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        options=options.SerializeToString(),
        is_idempotent=options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
    )
