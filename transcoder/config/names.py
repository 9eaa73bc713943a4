"""Which names may stand where: services, header and metadata keys, backend addresses, origins, networks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Final

from pydantic import AfterValidator, PlainSerializer, PlainValidator

from transcoder.config.values import MASK

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110 section 7.6.1, and the names older proxies treat alike."""

_GATEWAY_OWNED: Final = ("x-user-", "x-path-", "x-forwarded-")
_METADATA_KEY: Final = re.compile(r"[0-9a-z_.-]+")
_SENSITIVE: Final = re.compile(r"auth|token|secret|passw|cookie|credential|key", re.IGNORECASE)
_HOST: Final = r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)"
_HOST_PORT: Final = re.compile(rf"{_HOST}:([0-9]{{1,5}})", re.ASCII)
_TARGET: Final = re.compile(
    rf"dns:(?://{_HOST}?(?::[0-9]{{1,5}})?/)?{_HOST}(?::[0-9]{{1,5}})?"
    r"|ipv4:[0-9.]+(?::[0-9]{1,5})?(?:,[0-9.]+(?::[0-9]{1,5})?)*"
    r"|ipv6:[\[\]0-9A-Fa-f:.]+(?:,[\[\]0-9A-Fa-f:.]+)*"
    r"|unix:[!-~]+|unix-abstract:[!-~]+|xds:///[!-~]+",
    re.ASCII,
)
_ORIGIN: Final = re.compile(rf"(https?)://{_HOST}(?::([0-9]{{1,5}}))?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_HTTP_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def canonical(name: str) -> str:
    """A header name as every spelling of it compares: lower case, `-` for `_`.

    Servers behind the gateway (CGI, WSGI) read both as one name.
    """
    return name.lower().replace("_", "-")


def is_identity(name: str) -> bool:
    """Whether a name, in any spelling, is one only the gateway may send to a backend."""
    return canonical(name).startswith(_GATEWAY_OWNED)


def is_transport(name: str) -> bool:
    """Whether a name belongs to HTTP or gRPC framing, of one connection, and never travels as metadata."""
    name = canonical(name)
    return name in HOP_BY_HOP or name in {"host", "grpc"} or name.startswith(("grpc-", "content-"))


def is_sensitive(name: str) -> bool:
    """Whether the value under this name is likely a credential."""
    return _SENSITIVE.search(name) is not None


def is_loopback(host: str) -> bool:
    """Whether a listener on this host is reachable from the machine itself only."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _metadata_key(key: str) -> str:
    if not _METADATA_KEY.fullmatch(key):
        raise ValueError("expected a metadata key of lower-case letters, digits, '-', '_' and '.'")
    if is_transport(key):
        raise ValueError("belongs to HTTP or gRPC itself and cannot be set")
    if key.endswith("-bin"):
        raise ValueError("binary metadata (-bin) cannot be set")
    return key


def _static_key(key: str) -> str:
    if is_identity(key):
        raise ValueError("is set by the gateway and cannot be set")
    return _metadata_key(key)


def _claim_key(key: str) -> str:
    if canonical(key) in {"x-user-id", "x-user-email"}:
        raise ValueError("is set from who the caller is")
    if canonical(key).startswith(("x-path-", "x-forwarded-")):
        raise ValueError("is set by the gateway and cannot be set")
    return _metadata_key(key)


def _metadata_value(value: str) -> str:
    if not (value.isascii() and value.isprintable() and value == value.strip()):
        raise ValueError("must be printable ASCII without spaces around it")
    return value


def _forwardable(name: str) -> str:
    if not name.isascii() or not _METADATA_KEY.fullmatch(name := name.lower()):
        raise ValueError("expected a header name of letters, digits, '-', '_' and '.'")
    if is_identity(name):
        raise ValueError(f"{name} is an identity header: it is never taken from a client")
    if is_transport(name):
        raise ValueError(f"{name} belongs to HTTP or gRPC itself and is never forwarded")
    return name


def _credential_header(name: str) -> str:
    name = _forwardable(name)
    if name in {"authorization", "cookie"}:
        raise ValueError(f"{name} carries other credentials: expected a header such as x-api-key")
    return name


def _address(value: str) -> str:
    match = _HOST_PORT.fullmatch(value)
    if not (0 < int(match[1]) < 65536 if match else _TARGET.fullmatch(value)):
        raise ValueError("expected host:port or a gRPC target (dns:///, ipv4:, ipv6:, unix:, xds:///)")
    return value


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(
            "expected a network such as 10.0.0.0/8 or fd00::/8, without bits after the prefix"
        ) from None


def _origin(value: str) -> str:
    """As browsers send it: RFC 6454, section 6.1."""
    match = _ORIGIN.fullmatch(value)
    if value != "*" and not (match and 0 < int(match[2] or 1) < 65536):
        raise ValueError("expected an origin such as https://app.example.com, without a path, or *")
    if match and match[2] == _DEFAULT_PORTS[match[1]]:
        raise ValueError(f"browsers leave the port {match[2]} out of an {match[1]} origin")
    return value.lower()


def _listen_host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:%\[\]-]+", value):
        raise ValueError("expected an IP address or a host name")
    return value


def _service_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value):
        raise ValueError("expected a service name of at most 64 letters, digits, '-', '_' and '.'")
    return value


def _token(value: str) -> str:
    if not _HTTP_TOKEN.fullmatch(value):
        raise ValueError("expected a header or method name")
    return value


def _mask_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: MASK if is_sensitive(key) else value for key, value in metadata.items()}


ServiceName = Annotated[str, AfterValidator(_service_name)]
Address = Annotated[str, AfterValidator(_address)]
ListenHost = Annotated[str, AfterValidator(_listen_host)]
Origin = Annotated[str, AfterValidator(_origin)]
HttpToken = Annotated[str, AfterValidator(_token)]
Network = Annotated[
    IPv4Network | IPv6Network, PlainValidator(_network, json_schema_input_type=str), PlainSerializer(str)
]
ForwardedHeader = Annotated[str, AfterValidator(_forwardable)]
CredentialHeader = Annotated[str, AfterValidator(_credential_header)]
ClaimKey = Annotated[str, AfterValidator(_claim_key)]
StaticMetadata = Annotated[
    Mapping[Annotated[str, AfterValidator(_static_key)], Annotated[str, AfterValidator(_metadata_value)]],
    PlainSerializer(_mask_metadata),
]
