"""Which pages of other origins may read an answer (Fetch Standard, CORS protocol)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from transcoder.config.model import CorsConfig
from transcoder.context import Headers

VARY: Final = ("vary", "origin")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy:
    """The headers of answers, ready to send.

    answers: to each origin that is allowed by its name; otherwise: to all others, and to requests without an
    origin; is_open: whether any origin is allowed; methods: those a preflight may allow, None for all.
    """

    answers: Mapping[str, Headers]
    otherwise: Headers
    is_open: bool
    methods: frozenset[str] | None
    preflight: Headers

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin may read answers; origins are compared byte for byte."""
        return self.is_open or origin in self.answers

    def headers(self, origin: str | None) -> Headers:
        """What an answer to a page of this origin carries."""
        return self.answers.get(origin, self.otherwise) if origin is not None else self.otherwise

    def preflight_headers(self, methods: Collection[str]) -> Headers:
        """What else a preflight is told about a path that has these methods."""
        allowed = sorted(methods if self.methods is None else self.methods.intersection(methods))
        return (*self.preflight, *_listed("access-control-allow-methods", allowed))


def compile_cors(config: CorsConfig) -> CorsPolicy | None:
    """The policy of a configuration; None when it allows no origin."""
    if not config.origins:
        return None
    is_open = "*" in config.origins
    exposed = _listed("access-control-expose-headers", config.expose)
    credentials = _listed("access-control-allow-credentials", ["true"] if config.credentials else [])
    named = {origin: (_allow(origin), VARY, *credentials, *exposed) for origin in config.origins}
    return CorsPolicy(
        answers={} if is_open else named,
        # what depends on the origin must not be kept for another one
        otherwise=(_allow("*"), *exposed) if is_open else (VARY,),
        is_open=is_open,
        methods=None if not config.methods or "*" in config.methods else frozenset(config.methods),
        preflight=(
            *_listed("access-control-allow-headers", config.headers),
            ("access-control-max-age", f"{config.max_age:.0f}"),
        ),
    )


def is_same_origin(origin: str, host: str, scheme: str) -> bool:
    """Whether a page's origin is the server it asks.

    host: the request's Host; scheme: of its connection, before which a proxy may have ended TLS: a page that
    came over https may ask http, but not the other way round.
    """
    claimed, _, authority = origin.partition("://")
    port = _DEFAULT_PORTS.get(claimed)
    if port is None or not host or (claimed, scheme) == ("http", "https"):
        return False
    return authority.removesuffix(port) == host.lower().removesuffix(port)


def _allow(origin: str) -> tuple[str, str]:
    return "access-control-allow-origin", origin


def _listed(name: str, values: Collection[str]) -> Headers:
    return ((name, ", ".join(values)),) if values else ()
