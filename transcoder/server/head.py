"""The head of a request: llhttp reads it, and what llhttp lets pass is refused here.

What two readers could take for two different messages (request smuggling) is refused, never repaired:
RFC 9112, sections 2.2, 3, 5, 6.1 and 6.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from transcoder.errors import (
    HEADERS_TOO_LARGE,
    INVALID_ARGUMENT,
    METHOD_NOT_ALLOWED,
    UNIMPLEMENTED,
    URI_TOO_LONG,
    TranscodeError,
)

MAX_HEAD: Final = 16 * 1024
"""Bytes of a head, the empty line at its end included."""

MAX_TARGET: Final = 8 * 1024
"""Bytes of a request target; RFC 9112, section 3, asks for 8000 at least."""

MAX_HEADERS: Final = 100
"""Header lines of a request."""

_EMPTY_LINE: Final = b"\r\n"
_END: Final = b"\r\n\r\n"
_ONCE: Final = ("host", "content-length", "transfer-encoding")
_NOT_ALLOWED: Final = (b"CONNECT", b"TRACE")
_ALLOW: Final = ("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
_METHOD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32})(?: |\Z)")
_HOST: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+;=%:\[\]-]*")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?]*)")


@dataclass(slots=True)
class Head:
    """What a request says before its body.

    target: as sent; headers: names in lower case, values without the white space around them; length: bytes
    of the body, None if it comes in chunks.
    """

    method: str
    target: str
    headers: list[tuple[str, str]]
    is_http_10: bool
    keeps_alive: bool
    length: int | None = 0
    expects_continue: bool = False
    wants_socket: bool = False
    content_encoding: str = ""
    request_id: str | None = None


class HeadParser:
    """Reads the heads of one connection, one at a time; what follows them is not its business."""

    __slots__ = ("_headers", "_host", "_last", "_parser", "_target")

    def __init__(self) -> None:
        self._parser = HttpRequestParser(self)
        self._headers: list[tuple[str, str]] = []
        self._last: dict[str, str] = {}
        self._target = b""
        self._host: str | None = None

    def on_url(self, target: bytes) -> None:
        """Called by llhttp."""
        self._target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp, which leaves the white space behind a value."""
        key = name.lower().decode()
        text = value.decode("utf-8", "surrogateescape").rstrip(" \t")
        self._headers.append((key, text))
        self._last[key] = text

    def parse(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head at the start of `data`, and what is behind it; None if its end has not come yet.

        Raises TranscodeError for what is no head, and for one that is too large.
        """
        if data[:2] == _EMPTY_LINE:
            data = data[2:]
        lines, end, rest = data.partition(_END)
        if not end:
            self._check_beginning(data)
            return None
        raw = lines + end
        if len(raw) > MAX_HEAD:
            raise _too_large(raw)
        head = self._head(raw, self._feed(raw))
        if head.length != 0:
            self._parser = HttpRequestParser(self)  # the old one waits for the body
        return head, rest

    def _check_beginning(self, data: bytes) -> None:
        """Raise for what cannot become a head any more, rather than wait for the rest of it."""
        if len(data) > MAX_HEAD:
            raise _too_large(data)
        method = self._feed(data)
        if _EMPTY_LINE in data:
            self._is_http_10(data, method)
        self._parser = HttpRequestParser(self)

    def _feed(self, raw: bytes) -> bytes:
        """Have llhttp read a head; returns the method."""
        self._headers = []
        self._last = {}
        try:
            self._parser.feed_data(raw)
        except HttpParserUpgrade:
            method = self._parser.get_method()
            self._parser = HttpRequestParser(self)  # the old one is done with HTTP
            return method
        except HttpParserInvalidMethodError as error:
            return self._feed_unknown(raw, error)
        except HttpParserError as error:
            raise _malformed(str(error)) from error
        return self._parser.get_method()

    def _feed_unknown(self, raw: bytes, error: HttpParserError) -> bytes:
        """llhttp knows a list of methods; `custom` rules of google.api.http may have any other."""
        method = _METHOD.match(raw)
        if method is None or method[1] == b"GET":
            raise _malformed(str(error)) from error
        self._parser = HttpRequestParser(self)
        self._feed(b"GET " + raw[method.end() :])
        return method[1]

    def _is_http_10(self, raw: bytes, method: bytes) -> bool:
        """Whether it is not HTTP/1.1; llhttp takes other protocols, versions and spaces, too."""
        line = b" ".join((method, self._target, b"HTTP/1.1\r\n"))
        if raw[: len(line)] == line:
            return False
        if raw.startswith(line.replace(b"1.1\r\n", b"1.0\r\n")):
            return True
        raise _malformed("request line")

    def _head(self, raw: bytes, method: bytes) -> Head:
        is_http_10 = self._is_http_10(raw, method)
        target = self._target.decode()
        if len(target) > MAX_TARGET:
            raise _too_large(raw)
        if method in _NOT_ALLOWED:
            raise TranscodeError(METHOD_NOT_ALLOWED, "method not allowed", headers=[_ALLOW])
        head = Head(method.decode(), target, self._headers, is_http_10, not is_http_10)
        self._read_headers(head)
        if target[0] != "/":
            self._check_absolute(head)
        if "#" in target:
            raise _malformed("fragment in the request target")
        return head

    def _read_headers(self, head: Head) -> None:
        headers, last = head.headers, self._last
        if len(headers) > MAX_HEADERS:
            raise TranscodeError(HEADERS_TOO_LARGE, f"more than {MAX_HEADERS} headers")
        if len(last) != len(headers):
            _check_repeated(headers, last)
        host = last.get("host")
        if host is None or host != self._host:
            self._check_host(host, head)
        if "content-length" in last:
            head.length = int(last["content-length"])
        elif "transfer-encoding" in last:
            _check_transfer_encoding(last["transfer-encoding"], head)
            head.length = None
        if "connection" in last:
            _read_connection(head, last)
        if "expect" in last:
            _read_expect(last["expect"], head)
        if "content-encoding" in last:
            head.content_encoding = last["content-encoding"].lower()
        head.request_id = last.get("x-request-id")

    def _check_host(self, host: str | None, head: Head) -> None:
        if host is None:
            if not head.is_http_10:
                raise _malformed("no Host header")
        elif _HOST.fullmatch(host) is None:
            raise _malformed("Host header")
        self._host = host

    def _check_absolute(self, head: Head) -> None:
        """A target that names a host must name the one the Host header does (RFC 9112, section 3.2.2)."""
        if head.target == "*":
            return
        authority = _ABSOLUTE.match(head.target)
        if authority is None or not authority[1] or _HOST.fullmatch(authority[1]) is None:
            raise _malformed("request target")
        if self._host is not None and authority[1].lower() != self._host.lower():
            raise _malformed("target and Host header name different hosts")


def _check_repeated(headers: list[tuple[str, str]], last: dict[str, str]) -> None:
    """Some headers may be there once only; the values of others are one list (RFC 9110, section 5.3)."""
    names = [name for name, _ in headers]
    for name in _ONCE:
        if names.count(name) > 1:
            raise _malformed(f"more than one {name} header")
    for name in ("connection", "expect", "content-encoding"):
        if name in last:
            last[name] = ", ".join(value for key, value in headers if key == name)


def _check_transfer_encoding(coding: str, head: Head) -> None:
    if head.is_http_10:
        raise _malformed("Transfer-Encoding in HTTP/1.0")  # RFC 9112, section 6.1
    if coding.lower() != "chunked":
        raise TranscodeError(
            UNIMPLEMENTED, "transfer coding not implemented", reason=f"transfer coding {coding!r}"
        )


def _read_connection(head: Head, last: dict[str, str]) -> None:
    options = {option.strip(" \t") for option in last["connection"].lower().split(",")}
    if "close" in options:
        head.keeps_alive = False
    elif head.is_http_10:
        head.keeps_alive = "keep-alive" in options
    elif "upgrade" in options:
        # whoever sends a body with it is asking for something else
        head.wants_socket = (
            head.method == "GET" and head.length == 0 and last.get("upgrade", "").lower() == "websocket"
        )


def _read_expect(expectation: str, head: Head) -> None:
    if expectation.lower() != "100-continue":
        raise TranscodeError(INVALID_ARGUMENT, "unknown expectation", reason=f"Expect: {expectation!r}")
    head.expects_continue = not head.is_http_10


def _malformed(reason: str) -> TranscodeError:
    """reason: a text of llhttp or of this module, none of the client's."""
    return TranscodeError(INVALID_ARGUMENT, f"malformed request: {reason.lower()}")


def _too_large(data: bytes) -> TranscodeError:
    """What of a head is too large: its target or all of it."""
    line, _, _ = data.partition(_EMPTY_LINE)
    _, _, target = line.removesuffix(b" HTTP/1.1").partition(b" ")
    if len(target) > MAX_TARGET:
        return TranscodeError(URI_TOO_LONG, f"the target is longer than {MAX_TARGET} bytes")
    return TranscodeError(HEADERS_TOO_LARGE, f"the headers are larger than {MAX_HEAD} bytes")
