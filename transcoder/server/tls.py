"""TLS of the public port: TLS 1.2 and up, client certificates if wanted, replaced while connections go on."""

from __future__ import annotations

import ssl
from typing import Any

from transcoder.config.model import ServerTlsConfig
from transcoder.errors import ConfigError, Problem


class TlsPort:
    """The TLS of one port, whose certificates can be replaced: handshakes from then on use the new ones.

    Raises ConfigError when the files cannot be used.
    """

    def __init__(self, config: ServerTlsConfig) -> None:
        self.context = _context(config)
        self._current = self.context
        # called for every handshake, whether or not the client names a server
        self.context.sni_callback = self._choose

    def replace(self, config: ServerTlsConfig) -> None:
        """Use the files as they are now. Raises ConfigError, and then nothing has changed."""
        self._current = _context(config)

    def _choose(self, connection: Any, _server_name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current


def _context(config: ServerTlsConfig) -> ssl.SSLContext:
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
