"""The normal form of a resource URI, in which rules, catalog entries and requests are compared.

A client's text is forwarded to the server unchanged; policy sees its normal form (`target.uri`). So:

Rule 1: spellings that readers take for one resource have one normal form, and a rule on it covers all of them.
Rule 2: a URI that may lead elsewhere is refused: dot segments in any encoding, control characters, space at an end.
Rule 3: a part that readers understand differently is `doubtful`: encoded slashes, backslashes, empty segments, double
encoding, a fragment, no scheme, a host or query of `file`, a password. It is accepted only exactly as the server lists
it.
Rule 4: hosts are compared without case, in the schemes that have hosts. In all others the text after `//` is a name
that the server defines, compared exactly.
Rule 5: normalizing a normal form does not change it; escapes are upper-case UTF-8 of characters other than unreserved
ones.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.policy_input import Target
from gateway.admission.uri_characters import composed, decoded, escaped

LONGEST: Final = 8192
"""Most characters of a URI. In its normal form one character can become nine."""
_KNOWN: Final = 64
"""Number of cached normal forms: one message needs the same one several times."""

_URI: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
"""RFC 3986 appendix B."""
_DOTS: Final = re.compile(r"\.{1,2}(;.*)?", re.DOTALL)
_DRIVE: Final = re.compile(r"[A-Za-z]:?")
_EXPRESSION: Final = re.compile(r"\{[^{}]*\}")
_PORT: Final = re.compile(r"(?:0|[1-9][0-9]{0,4})?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
HOSTED: Final = frozenset(
    {
        *(
            *_DEFAULT_PORTS,
            "file",
            "sftp",
            "ftps",
            "ssh",
            "smb",
            "nfs",
            "git",
            "svn",
            "ldap",
            "ldaps",
            "rtsp",
            "telnet",
        ),
        *("git+ssh", "git+https", "git+http", "svn+ssh", "postgres", "postgresql", "mysql", "mongodb", "redis", "amqp"),
    }
)
"""Schemes with a host after `//`."""


class Abnormal(Struct, frozen=True):
    """The reason why a URI is refused, as the rest of a sentence that begins with `the URI`."""

    reason: str


class NormalUri(Struct, frozen=True):
    """The normal form of a URI."""

    text: str
    doubt: str = ""
    """Reason why only an exact listing by the server makes the meaning certain; empty if every reader agrees."""


class _Parts(Struct, frozen=True):
    scheme: str
    authority: str | None
    path: str
    query: str | None
    fragment: str | None


@lru_cache(maxsize=_KNOWN)
def normalize(uri: str) -> NormalUri | Abnormal:
    """Return the normal form of a URI, or the reason why it is refused."""
    refused = _of_text(uri)
    if refused:
        return Abnormal(refused)
    first = _normalized(uri)
    if isinstance(first, Abnormal) or first.text == uri:
        return first
    second = _normalized(first.text)
    if isinstance(second, Abnormal) or second.text != first.text:
        return Abnormal("has no normal form")
    return first if first.doubt else second if second.doubt else first


def abnormality(uri: str) -> Abnormal | None:
    """Return the reason why a URI is refused for any list of the server; null if it has a normal form."""
    found = normalize(uri)
    return found if isinstance(found, Abnormal) else None


def is_template(uri: str) -> bool:
    """Return whether a text has expressions of a URI template (RFC 6570)."""
    return _EXPRESSION.search(uri) is not None


def with_normal_uri(target: Target) -> Target:
    """Return a target that names its resource in normal form, with the text as written if that differs.

    A URI without a normal form is left unchanged: no question is asked about it.
    """
    if target.uri is None or target.written is not None:
        return target
    found = normalize(target.uri)
    if isinstance(found, Abnormal) or found.text == target.uri:
        return target
    return replace(target, uri=found.text, written=target.uri)


def _normalized(uri: str) -> NormalUri | Abnormal:
    doubts: list[str] = []
    text = escaped(composed(decoded(uri, doubts), doubts))
    if _has_control(text):
        return Abnormal("has an encoded control character")
    found = _URI.fullmatch(text)
    if found is None:
        return Abnormal("cannot be read")
    scheme, authority, path, query, fragment = found.groups()
    given = _Parts(scheme or "", authority, path, query, fragment)
    if not scheme and not path:
        return Abnormal("has no path")
    if any(_DOTS.fullmatch(segment) for segment in _segments(given)):
        return Abnormal("has a dot segment")
    parts = _normal_parts(given, doubts)
    return NormalUri(_joined(parts), doubts[0] if doubts else "")


def _of_text(uri: str) -> str:
    if not uri or len(uri) > LONGEST:
        return f"is empty, or longer than {LONGEST} characters"
    if not uri.isascii() and _escaped_size(uri) > LONGEST:
        return f"is longer than {LONGEST} characters when it is percent-encoded"
    if uri[0].isspace() or uri[-1].isspace():
        return "begins or ends with a space"
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in set(uri)):
        return "has a control character, a line separator, or text that is not Unicode"
    return ""


def _escaped_size(uri: str) -> int:
    """Return the characters of a URI whose characters beyond ASCII are percent-encoded."""
    octets = uri.encode("utf-8", "surrogatepass")
    return 3 * len(octets) - 2 * len(octets.decode("ascii", "ignore"))


def _has_control(text: str) -> bool:
    return re.search(r"%(?:[01][0-9A-F]|7F|C2%[89][0-9A-F])", text) is not None


def _segments(parts: _Parts) -> Iterator[str]:
    """Return the segments of a URI as the most lenient reader sees them."""
    for text in (parts.authority, parts.path):
        eager = unicodedata.normalize("NFKC", unquote(unquote(text or "")))
        yield from re.split(r"[/\\]", eager)


def _normal_parts(parts: _Parts, doubts: list[str]) -> _Parts:
    if not parts.scheme:
        doubts.append("has no scheme, such as file:///docs/a.md")
    if parts.fragment is not None:
        doubts.append("has a fragment, which some servers ignore")
    if parts.query == "":
        doubts.append("has an empty query")
        parts = replace(parts, query=None)
    if parts.scheme != parts.scheme.lower():
        doubts.append("has a scheme with upper-case letters")
        parts = replace(parts, scheme=parts.scheme.lower())
    if parts.scheme == "file":
        parts = _of_file(parts, doubts)
    if parts.authority is None and parts.scheme in _DEFAULT_PORTS:
        doubts.append(f"has no authority: write {parts.scheme}://")
    if parts.authority is not None:
        parts = replace(parts, authority=_of_authority(parts, doubts))
    return replace(parts, path=_of_path(parts, doubts))


def _of_file(parts: _Parts, doubts: list[str]) -> _Parts:
    """Return a URI of a file as `file:///path`, or `file://host/path`; servers often read only the path."""
    authority = parts.authority
    if parts.query is not None:
        doubts.append("has a query, which servers of files ignore")
    if authority is None:
        doubts.append("has no authority: write file://")
        return replace(parts, authority="", path=f"/{parts.path.lstrip('/')}")
    if _DRIVE.fullmatch(authority) and authority.endswith(":"):
        doubts.append("has a drive in the place of a host: write file:///")
        return replace(parts, authority="", path=f"/{authority}{parts.path}")
    if authority.lower() == "localhost":
        doubts.append("names the host localhost: write file:///")
        return replace(parts, authority="")
    if authority:
        doubts.append("names a host, which some servers of files ignore")
    return parts


def _of_authority(parts: _Parts, doubts: list[str]) -> str:
    authority = _slashed(parts.authority or "", doubts)
    user, at, address = authority.rpartition("@")
    if at and (parts.scheme in _DEFAULT_PORTS or parts.scheme == "file" or ":" in user or "@" in user):
        doubts.append("names a user or a password before the host")
    if parts.scheme not in HOSTED:
        return authority
    return f"{user}{at}{_of_address(parts.scheme, address, doubts)}"


def _of_address(scheme: str, address: str, doubts: list[str]) -> str:
    """Return host and port; the default port of a scheme is left out."""
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        host, colon, port = address, "", ""
    host = host.lower() if "%" not in host else host
    if (
        any(sign in host for sign in ("%", ":") if host[:1] != "[")
        or host.endswith(".")
        or not _is_port(port)
        or (not host and scheme != "file")
    ):
        doubts.append("has a host or a port that servers read in different ways")
    default = port in {"", _DEFAULT_PORTS.get(scheme)}
    return host.removesuffix(".") + ("" if default else f"{colon}{port}")


def _is_port(port: str) -> bool:
    return _PORT.fullmatch(port) is not None and int(port or 0) <= 65535  # noqa: PLR2004 - the last port


def _of_path(parts: _Parts, doubts: list[str]) -> str:
    path = _slashed(parts.path, doubts).replace("[", "%5B").replace("]", "%5D")
    if not path and parts.scheme in _DEFAULT_PORTS:
        return "/"
    rooted = path.startswith("/") or parts.authority is not None
    if rooted and "//" in path:
        doubts.append("has an empty segment in its path")
        return re.sub("/{2,}", "/", path)
    return path


def _slashed(text: str, doubts: list[str]) -> str:
    plain = text.replace("%2F", "/").replace("%5C", "/")
    if plain != text:
        doubts.append("has an encoded slash or backslash")
    return plain


def _joined(parts: _Parts) -> str:
    text = f"{parts.scheme}:" if parts.scheme else ""
    text += f"//{parts.authority}" if parts.authority is not None else ""
    text += parts.path + (f"?{parts.query}" if parts.query is not None else "")
    return text + (f"#{parts.fragment}" if parts.fragment is not None else "")
