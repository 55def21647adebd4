"""Refusals of requests that never reach the application: their status and their response."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Self

from msgspec import Struct

_BAD_VERSION: Final = "Invalid HTTP version"
_HTTP_2: Final = "Pause on PRI/Upgrade"


class Unreadable(Struct, frozen=True):
    """The status and the reason of a refusal."""

    status: int
    reason: str

    @classmethod
    def version(cls, version: str) -> Self:
        """Refuse a version of HTTP (RFC 9110 section 15.6.6)."""
        return cls(505, f"HTTP/{version} is not supported in a request line: use HTTP/1.1.")

    @classmethod
    def parsing(cls, error: str, version: str) -> Self:
        """Refuse a request that the parser could not read."""
        if error.startswith((_BAD_VERSION, _HTTP_2)):
            return cls.version(version)
        return cls(400, f"The request is not valid HTTP/1.1: {error}.")

    def answer(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
        """Return the whole response, after which the connection ends."""
        lines = [
            b"HTTP/1.1 %d %s" % (self.status, HTTPStatus(self.status).phrase.encode()),
            *(name + b": " + value for name, value in headers),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


LATE: Final = Unreadable(408, "The request did not arrive in time.")
LONG_HEAD: Final = Unreadable(431, "The request line and headers are too large.")
LONG_FRAMING: Final = Unreadable(400, "The chunk headers or trailers of the body are too large.")
BAD_TARGET: Final = Unreadable(400, "The request target is neither a path nor an http(s) URL.")
PIPELINED: Final = Unreadable(400, "Too many requests were sent before earlier responses were read.")
