"""Puts a service on a port of its own, with server reflection and health beside it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from transcoder.demo.messages import message_class, pool

HEALTH: Final = "grpc.health.v1.Health"
REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
GRACE: Final = 1.0  # seconds open streams get when the server stops

# Without this, Linux lets a second process listen on a taken port and calls go to either.
_OPTIONS: Final = (("grpc.so_reuseport", 0),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service to serve.

    backend: what the gateway's configuration calls it; name: its full gRPC name; methods: by the name each
    has in the proto, `async (request, context) -> response`, or an async generator of them for a stream.
    """

    backend: str
    name: str
    methods: Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A service that is being served at `address` (host:port)."""

    service: Service
    address: str
    server: aio.Server

    async def stop(self) -> None:
        """Refuses new calls at once; open ones are cancelled after a moment."""
        await self.server.stop(GRACE)


async def start(service: Service, *, host: str, port: int) -> Backend:
    """Serves on a port, 0 for any free one. OSError when it cannot be listened on."""
    server = aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers([_service_handler(service), *_reflection_handlers(service)])
    await _add_health(server, service)
    netloc = f"[{host}]" if ":" in host else host
    try:
        _check_free(host, port)
        bound = server.add_insecure_port(f"{netloc}:{port}")
    except (OSError, RuntimeError) as error:
        raise OSError(f"cannot listen on {netloc}:{port} for {service.backend}: {error}") from error
    await server.start()
    return Backend(service=service, address=f"{netloc}:{bound}", server=server)


def _check_free(host: str, port: int) -> None:
    """Fails as a socket does, with the reason; gRPC writes it to stderr and raises without."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _service_handler(service: Service) -> grpc.GenericRpcHandler:
    descriptor = pool().FindServiceByName(service.name)
    handlers = {
        method.name: _method_handler(method, service.methods[method.name]) for method in descriptor.methods
    }
    return grpc.method_handlers_generic_handler(service.name, handlers)


def _method_handler(method: MethodDescriptor, call: Callable[..., Any]) -> grpc.RpcMethodHandler[Any, Any]:
    make = (
        grpc.unary_stream_rpc_method_handler
        if method.server_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    request = message_class(method.input_type.full_name)
    return make(call, request_deserializer=request.FromString, response_serializer=_serialize)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _reflection_handlers(service: Service) -> list[grpc.GenericRpcHandler]:
    """One servicer under both names: the two versions of the protocol are the same on the wire."""
    servicer = reflection.aio.ReflectionServicer([service.name, HEALTH, *REFLECTION], pool())
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=_serialize,
    )
    return [
        grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in REFLECTION
    ]


async def _add_health(server: aio.Server, service: Service) -> None:
    servicer = health.aio.HealthServicer()
    await servicer.set(service.name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
