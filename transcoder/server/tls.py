"""TLS of the public port: TLS 1.2 and up, client certificates if wanted, replaced while connections go on."""

from __future__ import annotations

import ssl
from typing import Any

from transcoder.config.model import ServerTlsConfig
from transcoder.errors import ConfigError, Problem


class TlsPort:
    """The TLS of one port, whose certificates can be replaced: handshakes from then on use the new ones."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._current = context
        # called for every handshake, whether or not the client names a server
        context.sni_callback = self._choose

    def replace(self, context: ssl.SSLContext) -> None:
        """Use another context; whether clients must show certificates stays as it was."""
        self._current = context

    def _choose(self, connection: Any, _server_name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current


def make_context(config: ServerTlsConfig) -> ssl.SSLContext:
    """What the files say now. Raises ConfigError when they cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    if config.cert is None or config.key is None:
        raise AssertionError("TLS without a certificate was let through")
    try:
        context.load_cert_chain(config.cert, config.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise _unusable("cert", f"{config.cert} and {config.key} cannot be used: {error}") from error
    if config.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(config.client_ca)
        except (OSError, ValueError) as error:
            raise _unusable("client_ca", f"{config.client_ca} cannot be used: {error}") from error
    return context


def _no_password() -> str:
    """Instead of asking on a terminal that nobody sits at."""
    raise ValueError("the key is encrypted")


def _unusable(key: str, message: str) -> ConfigError:
    return ConfigError([Problem(message=message, key=f"server.tls.{key}")])
