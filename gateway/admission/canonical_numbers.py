"""Numbers as RFC 8785 writes them, from the text that orjson writes: same digits, but some forms differ.

orjson writes `1.0`, `-0.0`, `1.5e+16` to `1.5e+20` and `1.5e-6`, while RFC 8785 has `1`, `0`, `15000000000000000` and
so on, and `0.0000015`. All other numbers have one form in both.
"""

import re
from typing import Final

from gateway.protocol.json_text import joined, parted
from gateway.protocol.stepwise import Steps

_ODD: Final = (b".0,", b".0]", b".0}", b"e+", b"e-6")
_EXPONENT: Final = re.compile(rb"(?<![0-9.e+-])(-?)([0-9])\.?([0-9]*+)e(?:\+(1[6-9]|20)|-6)(?![0-9])")
_SLICE: Final = 64 * 1024
"""Number of bytes whose exponents one step rewrites."""


def rewriting(text: bytes) -> Steps[bytes]:
    """Return the JSON text with its numbers in the forms of RFC 8785."""
    if not any(odd in text for odd in _ODD) and not text.endswith(b".0"):
        return text
    parts = parted(text)
    yield
    outside = _whole_numbers(b'"'.join(parts[::2]))
    if b"e+" in outside or b"e-6" in outside:
        outside = yield from _without_exponents(outside)
    yield
    parts[::2] = outside.split(b'"')
    return joined(parts)


def _whole_numbers(outside: bytes) -> bytes:
    outside += b","
    for end in (b",", b"]", b"}"):
        outside = outside.replace(b".0" + end, end).replace(b"-0" + end, b"0" + end)
    return outside.removesuffix(b",")


def _without_exponents(outside: bytes) -> Steps[bytes]:
    done: list[bytes] = []
    start = 0
    while start < len(outside):
        yield
        end = outside.find(b",", start + _SLICE) + 1 or len(outside)
        done.append(_EXPONENT.sub(_written_out, outside[start:end]))
        start = end
    return b"".join(done)


def _written_out(number: re.Match[bytes]) -> bytes:
    sign, first, rest, exponent = number.groups()
    if exponent is None:
        return sign + b"0.00000" + first + rest
    return sign + first + rest.ljust(int(exponent), b"0")
