"""What relates one part of the configuration to another.

The checks read the raw values, whatever their types: so their problems are found in one pass with those of
the model.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Final, Protocol

from transcoder.config.messages import suggestion
from transcoder.config.model import AdminConfig, AuthConfig, ServerConfig
from transcoder.config.names import canonical
from transcoder.config.places import Loc, dotted

Found = Iterator[tuple[Loc, str]]
Raw = Mapping[str, Any]

_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104


class Template(Protocol):
    """A parsed path template; templates of one shape match the same paths."""

    @property
    def shape(self) -> Hashable: ...


class ParseTemplate(Protocol):
    """Parses a path template; raises ValueError that says what is wrong."""

    def __call__(self, text: str, /) -> Template: ...


def cross_checks(raw: Raw, parse_template: ParseTemplate) -> Found:
    """Every problem between sections: the way to the offending key, and what is wrong."""
    yield from _unknown_services(raw)
    yield from _duplicate_names(_items(raw, "routes"), ("routes",))
    yield from _duplicate_names(_items(raw, "auth", "issuers"), ("auth", "issuers"))
    yield from _duplicate_names(_items(raw, "auth", "api_keys"), ("auth", "api_keys"))
    yield from _templates(raw, parse_template)
    if not _at(raw, "auth", "issuers") and not _at(raw, "auth", "api_keys"):
        yield from _callers_nobody_verifies(raw)
    yield from _forwarded_claims(raw)
    yield from _forwarded_keys(raw)
    yield from _one_port_twice(raw)
    yield from _missing_extras(raw)


def _at(raw: Any, *keys: str) -> Any:
    for key in keys:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw


def _items(raw: Raw, *keys: str) -> Iterator[tuple[int, Raw]]:
    items = _at(raw, *keys)
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        if isinstance(item, Mapping):
            yield index, item


def _unknown_services(raw: Raw) -> Found:
    services = _at(raw, "services")
    known = services if isinstance(services, Mapping) else {}
    for index, route in _items(raw, "routes"):
        name = route.get("service")
        if isinstance(name, str) and name not in known:
            yield ("routes", index, "service"), f'no service is called "{name}"{suggestion(name, known)}'


def _duplicate_names(items: Iterator[tuple[int, Raw]], loc: Loc) -> Found:
    first: dict[str, int] = {}
    for index, item in items:
        name = item.get("name")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            yield (*loc, index, "name"), f"is already the name of {dotted((*loc, first[name]))}"


def _templates(raw: Raw, parse_template: ParseTemplate) -> Found:
    first: dict[Hashable, int] = {}
    for index, route in _items(raw, "routes"):
        method, path = route.get("method"), route.get("path")
        if not isinstance(path, str):
            continue
        try:
            rule = (str(method), parse_template(path).shape)
        except ValueError as error:
            yield ("routes", index, "path"), str(error)
            continue
        if first.setdefault(rule, index) != index:
            yield ("routes", index, "path"), f"{method} on such a path is already routes[{first[rule]}]"


def _callers_nobody_verifies(raw: Raw) -> Found:
    reason = "needs an issuer in auth.issuers that can verify tokens, or a key in auth.api_keys"
    for index, route in _items(raw, "routes"):
        require = route.get("require")
        if route.get("auth_required") is True:
            yield ("routes", index, "auth_required"), reason
        elif isinstance(require, Mapping) and any(require.values()):
            yield ("routes", index, "require"), reason
    services = _at(raw, "services")
    for name in services if isinstance(services, Mapping) else ():
        if _at(services, name, "auth_required") is True:
            yield ("services", name, "auth_required"), reason


def _forwarded_claims(raw: Raw) -> Found:
    """Headers taken from a client that would arrive under the name of a verified claim."""
    claims: dict[str, Loc] = {}
    for section, key in (("issuers", "forward_claims"), ("api_keys", "metadata")):
        for index, item in _items(raw, "auth", section):
            names = item.get(key)
            for name in names if isinstance(names, Mapping) else ():
                claims.setdefault(canonical(name), ("auth", section, index, key, name))
    for loc, name in _forwarded_headers(raw):
        if name in claims:
            yield loc, f"{name} is an identity header: {dotted(claims[name])} sets it"


def _forwarded_keys(raw: Raw) -> Found:
    """API keys that a backend would see."""
    default = AuthConfig.model_fields["api_key_header"].default
    header = canonical(str(_at(raw, "auth", "api_key_header") or default))
    for loc, name in _forwarded_headers(raw):
        if name == header and _at(raw, "auth", "api_keys"):
            yield loc, f"{name} carries API keys: it is never forwarded"


def _forwarded_headers(raw: Raw) -> Found:
    """The entries of `forward_headers`, by the name every spelling has."""
    headers = _at(raw, "server", "forward_headers")
    for index, header in enumerate(headers if isinstance(headers, list | tuple) else ()):
        yield ("server", "forward_headers", index), canonical(str(header))


def _one_port_twice(raw: Raw) -> Found:
    if _at(raw, "admin", "enabled") is False:
        return
    host, port = _listener(raw, "server", ServerConfig)
    admin_host, admin_port = _listener(raw, "admin", AdminConfig)
    if port == admin_port and (host == admin_host or _EVERY_ADDRESS.intersection((host, admin_host))):
        yield ("admin", "port"), "is the port of server too"


def _listener(raw: Raw, section: str, model: type[AdminConfig | ServerConfig]) -> tuple[str, str]:
    default = model.model_fields
    host, port = (_at(raw, section, key) or default[key].default for key in ("host", "port"))
    return str(host), str(port)


def _missing_extras(raw: Raw) -> Found:
    """Features whose libraries are not installed."""
    loc = ("observability", "tracing", "otlp_endpoint")
    if _at(raw, *loc) and find_spec("opentelemetry") is None:
        yield loc, "needs libraries that are not installed: pip install 'transcoder[tracing]'"
