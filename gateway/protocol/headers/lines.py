"""The HTTP header lines of a request, each name once.

Rule 1: a header that affects a decision may occur at most once. Lines are trimmed of space and tab, as uvicorn leaves
them.
Rule 2: oversize lines and characters that no header may have are refused before anything is decoded (SEP-2243).
Rule 3: only an allow-list is forwarded upstream; credentials, cookies and origins never are (PROTOCOL section 7).
"""

import base64
import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.protocol.errors import HEADER_MISMATCH, INVALID_REQUEST
from gateway.protocol.malformed import Fault, Malformed
from gateway.protocol.revisions import Era

VALUE_BYTES: Final = 8 * 1024
"""Most bytes of one value that is forwarded."""
TOTAL_BYTES: Final = 64 * 1024
"""Most bytes of all lines."""

_ONCE: Final = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "last-event-id",
        "origin",
        "traceparent",
        "transfer-encoding",
    }
)
_FORWARDED: Final = ("accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name")
_TRAVELLING: Final = frozenset(_FORWARDED)
_TRACED: Final = ("traceparent", "tracestate", "baggage")
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SPELLINGS: Final = {
    name.encode(): name for name in (*_ONCE, *_FORWARDED, *_TRACED, "accept-encoding", "connection", "user-agent")
}
"""Names as ASGI servers spell them, so that the usual ones need not be decoded."""
_SENTINEL: Final = ("=?base64?", "?=")
_OURS: Final = "mcp-"
_PARAM: Final = "mcp-param-"


class Headers(Struct, frozen=True):
    """Trimmed values by lower-case name. Repeated lines that are allowed are joined with a comma."""

    values: dict[str, str]

    def get(self, name: str) -> str | None:
        """Return the value of a lower-case name; None if the request does not have it."""
        return self.values.get(name)


def read_headers(lines: Iterable[tuple[bytes, bytes]]) -> Headers | Malformed:
    """Return the headers of an ASGI header list, or the reason for refusal; names in messages are safe to show."""
    values: dict[str, str] = {}
    total = 0
    for raw_name, raw_value in lines:
        name = _SPELLINGS.get(raw_name) or raw_name.decode("latin-1").lower()
        value = raw_value.strip(b" \t").decode("latin-1")
        size = len(raw_value)
        total += len(raw_name) + size
        plain = size <= VALUE_BYTES and value.isascii() and value.isprintable()
        if not plain and (problem := _unfit(name, value)) is not None:
            return problem
        if name not in values:
            values[name] = value
        elif name in _ONCE or name.startswith(_OURS):
            return _refused("duplicate_header", f"the header {name[:64]!a} occurs more than once", name)
        else:
            values[name] = f"{values[name]}, {value}"
    if total > TOTAL_BYTES:
        return _refused("headers_too_large", f"the headers have more than {TOTAL_BYTES} bytes", "")
    return Headers(values)


def _unfit(name: str, value: str) -> Malformed | None:
    """Return the fault of a header that is forwarded or belongs to MCP; null for none, and for any other header."""
    if name not in _TRAVELLING and not name.startswith(_OURS):
        return None
    if len(value) > VALUE_BYTES:
        return _refused("headers_too_large", f"the header {name[:64]!a} has more than {VALUE_BYTES} bytes", name)
    if value.isascii() and value.replace("\t", "").isprintable():
        return None
    return _refused("header_mismatch", f"the header {name[:64]!a} has characters that no header may have", name)


def _refused(fault: Fault, reason: str, name: str) -> Malformed:
    status = 431 if fault == "headers_too_large" else 400
    code = HEADER_MISMATCH if name.startswith(_OURS) else INVALID_REQUEST
    return Malformed(fault=fault, code=code, status=status, reason=reason)


def decode_value(text: str) -> str | None:
    """Return the text that a header value stands for; None if it looks encoded but is not canonical base64 of UTF-8."""
    start, end = _SENTINEL
    if not (text.startswith(start) and text.endswith(end) and len(text) >= len(start) + len(end)):
        return text
    payload = text[len(start) : -len(end)]
    try:
        raw = base64.b64decode(payload, validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == payload else None
    except ValueError:  # not base64, or not UTF-8
        return None


def encode_value(text: str) -> str:
    """Return the header value that stands for a text; `decode_value` returns the text again."""
    start, end = _SENTINEL
    plain = text.isascii() and text.isprintable() and text == text.strip(" ") and not text.startswith(start)
    return text if plain and text else f"{start}{base64.b64encode(text.encode()).decode()}{end}"


def unpostable(headers: Headers) -> Malformed | None:
    """Return why a POST with these headers is refused for any body: its media types and encodings."""
    if headers.get("content-encoding") is not None:
        return _media("encoding", 415, "send the body without a Content-Encoding")
    if not _is_json(headers.get("content-type") or ""):
        return _media("media_type", 415, "send the body as Content-Type: application/json, in UTF-8")
    if not _accepts(headers, "application/json"):
        return _media("accept", 406, "Accept must list application/json and text/event-stream")
    return None


def unstreamable(headers: Headers) -> Malformed | None:
    """Return why a GET with these headers is refused: it cannot receive a stream."""
    if not _accepts(headers, "text/event-stream"):
        return _media("accept", 406, "Accept must list text/event-stream")
    return None


def _media(fault: Fault, status: int, reason: str) -> Malformed:
    return Malformed(fault=fault, code=INVALID_REQUEST, status=status, reason=reason)


def _is_json(value: str) -> bool:
    if value == "application/json":
        return True
    media, *parameters = (part.strip(" \t").lower() for part in value.split(";"))
    return media == "application/json" and all(
        parameter in {"", "charset=utf-8", 'charset="utf-8"'} or not parameter.startswith("charset")
        for parameter in parameters
    )


def _accepts(headers: Headers, media: str) -> bool:
    """Return whether the answer may have the media type. A server may require more, and then refuses itself."""
    accept = headers.get("accept")
    if accept is None or media in accept:
        return True
    wanted = {part.partition(";")[0].strip(" \t").lower() for part in accept.split(",")}
    return not wanted.isdisjoint({media, "*/*", f"{media.partition('/')[0]}/*"})


def forwardable(headers: Headers, era: Era) -> tuple[tuple[str, str], ...]:
    """Return the lines that may be forwarded. Session and event ids are sealed and forwarded separately.

    `Mcp-Param-*` is forwarded in the modern era only: in legacy revisions it cannot be verified.
    """
    values = headers.values
    kept = [(name, values[name]) for name in _FORWARDED if name in values]
    if era == "modern":
        kept += [(name, value) for name, value in values.items() if name.startswith(_PARAM)]
    if "traceparent" in values and _TRACEPARENT.fullmatch(values["traceparent"]):
        kept += [(name, values[name]) for name in _TRACED if name in values and _plain(values[name])]
    return tuple(kept)


def trace_id_of(traceparent: object) -> str:
    """Return the trace id of a `traceparent` (W3C Trace Context); empty for anything else."""
    found = _TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    return found[1] if found is not None else ""


def _plain(value: str) -> bool:
    return len(value) <= VALUE_BYTES and value.isascii() and value.isprintable()
