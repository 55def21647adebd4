"""The characters of a URI in their normal form: which ones are encoded, and how.

Rule 1: ASCII characters that a URI can have stay unencoded; others are encoded as UTF-8, in upper case.
Rule 2: a character that some readers take for another one is a doubt, stated as the rest of a sentence that begins with
`the URI`.
"""

import re
import unicodedata
from typing import Final

_ODD: Final = re.compile(
    r"(?:%[89A-Fa-f][0-9A-Fa-f])+|%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=\u0080-\U0010ffff]"
)
"""Characters to encode: escapes, and ASCII characters that a URI cannot have."""
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_TWICE: Final = re.compile(r"%25[0-9A-Fa-f]{2}")
_ASCII: Final = 0x80
_MISREAD: Final = frozenset("/\\.%")


def decoded(uri: str, doubts: list[str]) -> str:
    """Return a URI in which only reserved and other ASCII characters are encoded, in upper case."""
    return _ODD.sub(lambda found: _of_token(found[0], doubts), uri)


def _of_token(token: str, doubts: list[str]) -> str:
    if len(token) == 1:
        return _of_character(token, doubts)
    octets = bytes.fromhex(token.replace("%", ""))
    if octets[0] >= _ASCII:
        try:
            return octets.decode()
        except UnicodeDecodeError:
            doubts.append("has percent-encoded bytes that are not UTF-8")
            return token.upper()
    if octets[0] in _UNRESERVED:
        doubts.append(f"has {token} for a character that needs no encoding: write `{chr(octets[0])}`")
        return chr(octets[0])
    return token.upper()


def _of_character(character: str, doubts: list[str]) -> str:
    if character == "\\":
        doubts.append("has a backslash, which some servers take for a slash")
        return "/"
    if character == "%":
        doubts.append("has a `%` that two hexadecimal digits do not follow")
        return "%25"
    return f"%{ord(character):02X}"


def composed(text: str, doubts: list[str]) -> str:
    """Return a text in Unicode normal form C."""
    normal = unicodedata.normalize("NFC", text)
    if normal != text:
        doubts.append("is not in Unicode normal form C")
    beyond = (unicodedata.normalize("NFKC", character) for character in set(normal) if not character.isascii())
    if any(not _MISREAD.isdisjoint(folded) for folded in beyond):
        doubts.append("has a character that some servers take for `/`, `\\`, `.` or `%`")
    if _TWICE.search(normal):
        doubts.append("is percent-encoded twice")
    return normal


def escaped(text: str) -> str:
    """Return a text in ASCII."""
    return _BEYOND_ASCII.sub(_octets, text)


def _octets(found: re.Match[str]) -> str:
    return f"%{found[0].encode().hex('%').upper()}"
