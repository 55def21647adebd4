"""Whether a resource URI is in normal form, so that one resource has one spelling that a rule can name.

Rule 1: what is not in the normal form of RFC 3986 section 6.2 is refused, never rewritten: no server knows that form.
Rule 2: what decoders disagree about (encoded slashes, double encodings, empty segments, backslashes) is refused too.
Rule 3: custom schemes are judged by the generic syntax alone: `test://static-text` is as good as `file:///docs/a.md`.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

LONGEST: Final = 8192

_URI: Final = re.compile(r"([^:/?]*):(?://([^/?]*))?([^?]*)(?:\?(.*))?", re.DOTALL)
"""RFC 3986 appendix B, once there is no fragment."""
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST: Final = re.compile(r"[a-z0-9._~!$&'()*+,;=-]*|\[[0-9a-fv][0-9a-z.:_~-]*\]")
_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}")
_DOTS: Final = re.compile(r"\.{1,2}(;.*)?")
_ESCAPE: Final = re.compile(r"%([0-9A-F]{2})?")
_TWICE: Final = re.compile(r"%25[0-9A-Fa-f]{2}")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
_HOSTED: Final = frozenset({*_DEFAULT_PORTS, "file"})
"""Schemes that need an authority, and name no user in it."""


class Abnormal(Struct, frozen=True):
    """Why a URI is refused, as the rest of a sentence that begins with `the URI`."""

    reason: str


class _Parts(Struct, frozen=True):
    scheme: str
    authority: str | None
    path: str
    query: str | None


def normal(uri: str) -> bool:
    """Return whether a URI is in normal form."""
    return abnormality(uri) is None


def abnormality(uri: str) -> Abnormal | None:
    """Return why a URI is not in normal form; null where it is."""
    reason = _of_text(uri) or _of_escapes(uri) or _of_parts(uri)
    return Abnormal(reason) if reason else None


def _of_text(uri: str) -> str:
    if len(uri) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if "#" in uri:
        return "has a fragment, which a server never sees: leave it out"
    if not _CHARACTERS.fullmatch(uri):
        return "has a character that RFC 3986 does not allow (control, space, backslash, non-ASCII): percent-encode it"
    return ""


def _of_escapes(uri: str) -> str:
    if "%" not in uri:
        return ""
    for found in _ESCAPE.finditer(uri):
        if found[1] is None:
            return "has a `%` that two upper-case hexadecimal digits do not follow"
        reason = _of_byte(int(found[1], 16), found[0])
        if reason:
            return reason
    if _TWICE.search(uri):
        return "is percent-encoded twice"
    return _of_decoded(unquote_to_bytes(uri))


def _of_byte(byte: int, written: str) -> str:
    if byte in _UNRESERVED:
        return f"has {written} for a character that needs no encoding: write `{chr(byte)}`"
    if byte < ord(" ") or byte == 0x7F:  # noqa: PLR2004 - the control characters of ASCII
        return f"has the control character {written}"
    return ""


def _of_decoded(octets: bytes) -> str:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return "has percent-encoded bytes that are not UTF-8"
    if not unicodedata.is_normalized("NFC", text):
        return "has percent-encoded text that is not in Unicode normal form C"
    beyond = (unicodedata.normalize("NFKC", character) for character in text if not character.isascii())
    if any(set(folded) & set("/\\.%") for folded in beyond):
        return "has a percent-encoded character that some servers take for `/`, `\\`, `.` or `%`"
    return ""


def _of_parts(uri: str) -> str:
    found = _URI.fullmatch(uri)
    if found is None or not _SCHEME.fullmatch(found[1]):
        return "does not begin with a lower-case scheme, such as file:///docs/a.md"
    parts = _Parts(*found.groups())
    return next((reason for check in _CHECKS if (reason := check(parts))), "")


def _of_authority(parts: _Parts) -> str:
    if parts.authority is None:
        return f"has no authority: write {parts.scheme}://" if parts.scheme in _HOSTED else ""
    user, at, address = parts.authority.rpartition("@")
    if at and (parts.scheme in _HOSTED or ":" in user or "@" in user):
        return "names a user or a password before the host"
    host, port = _address(address)
    if not _HOST.fullmatch(host) or host.endswith("."):
        return "has a host that is not in lower-case ASCII, or ends in a dot"
    if parts.scheme == "file" and host == "localhost":
        return "names the host localhost: write file:///"
    if not host and (at or port is not None or parts.scheme in _DEFAULT_PORTS):
        return "has no host"
    return "" if port is None else _of_port(parts.scheme, port)


def _address(address: str) -> tuple[str, str | None]:
    """Return host and port of an authority; port is null where there is no colon after the host."""
    host, colon, port = address.rpartition(":")
    bracketed = address.endswith("]")
    return (host, port) if colon and not bracketed else (address, None)


def _of_port(scheme: str, port: str) -> str:
    if not _PORT.fullmatch(port) or int(port) > 65535:  # noqa: PLR2004 - the last port
        return "has an empty or impossible port"
    return "names the default port: leave it out" if port == _DEFAULT_PORTS.get(scheme) else ""


def _of_path(parts: _Parts) -> str:
    if "%2F" in parts.path or "%5C" in parts.path:
        return "has an encoded slash or backslash in its path"
    if not parts.path and parts.scheme in _DEFAULT_PORTS:
        return "has an empty path: end it with `/`"
    segments = parts.path.removeprefix("/").split("/")
    if any(_DOTS.fullmatch(segment) for segment in segments):
        return "has a dot segment in its path"
    return "has an empty segment in its path" if "" in segments[:-1] else ""


def _of_rest(parts: _Parts) -> str:
    if "[" in parts.path or "]" in parts.path:
        return "has a bracket in its path: percent-encode it"
    return "has an empty query: leave the `?` out" if parts.query == "" else ""


_CHECKS: Final[tuple[Callable[[_Parts], str], ...]] = (_of_authority, _of_path, _of_rest)
