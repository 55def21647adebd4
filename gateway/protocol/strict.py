"""One JSON value out of bytes, such that every reader in the world reads the same value.

Rule 1: canonical bytes (equal to what orjson writes for what it read) need no second look: they have no duplicate key,
no NaN, no lone surrogate, no integer beyond 53 bits, and no number that another reader would take for another one.
Rule 2: all other bytes are read twice, by orjson and by a strict reader that sees every key and every number as text;
if the two differ, the bytes are ambiguous and refused.
Rule 3: what a body is made of is counted before it is parsed; no input raises, or costs much more than its size.
"""

import json
from itertools import accumulate
from typing import Any, Final, NoReturn

import orjson
from msgspec import Struct

from gateway.protocol.errors import INVALID_REQUEST, PARSE_ERROR
from gateway.protocol.malformed import Fault, Malformed

_SAFE_INTEGER: Final = 2**53 - 1
_LONGEST_INTEGER: Final = len(str(-_SAFE_INTEGER))
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"{}[]"))
_STEPS: Final = bytes.maketrans(b"{[}]", b"\x02\x02\x00\x00")
_SAFE_DIGITS: Final = 17
"""A double written with 17 significant digits is the same double for every reader (IEEE 754)."""
_SAFE_CHARS: Final = 16
"""A number of fewer characters has at most 15 digits, which an integer and a double keep."""


class Limits(Struct, frozen=True, kw_only=True):
    """What a body may be at most, so that no body costs much more than its size."""

    size: int = 4 * 1024 * 1024
    """Bytes."""
    depth: int = 64
    keys: int = 20_000
    """Members of all objects together, counting every object and array as one more."""
    values: int = 200_000
    """Commas between members and elements, together."""


DEFAULT: Final = Limits()


class _AmbiguousError(ValueError):
    """Leaves the strict reader's callbacks; never leaves this module."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault: Fault = fault
        self.reason = reason


def parse(body: bytes, limits: Limits = DEFAULT) -> Any | Malformed:
    """Return the value of a body, or why no two readers need agree on it."""
    if len(body) > limits.size:
        reason = f"the body has {len(body)} bytes; {limits.size} are allowed"
        return Malformed(fault="too_large", code=INVALID_REQUEST, status=413, reason=reason)
    if (problem := _excess(body, limits)) is not None:
        return _refused("too_complex", problem)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _refused("not_json", f"the body is not strict JSON in UTF-8: {error.msg} at character {error.pos}")
    return value if _canonical(body, value) else _reread(body, value)


def _canonical(body: bytes, value: Any) -> bool:
    try:
        return orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == body
    except orjson.JSONEncodeError:
        return False


def _reread(body: bytes, value: Any) -> Any | Malformed:
    try:
        again = _READER.decode(body.decode())
    except _AmbiguousError as error:
        return _refused(error.fault, error.reason)
    except (ValueError, RecursionError):
        return _refused("not_json", "the body is not strict JSON in UTF-8")
    if again != value:
        return _refused("not_json", "two readers of JSON do not agree on the body")
    return value


def _refused(fault: Fault, reason: str) -> Malformed:
    return Malformed(fault=fault, code=PARSE_ERROR if fault == "not_json" else INVALID_REQUEST, reason=reason)


def _excess(body: bytes, limits: Limits) -> str | None:
    """Return which limit a body breaks; without its strings JSON shows what it is made of."""
    opened, members, commas = body.count(b"{") + body.count(b"["), body.count(b":"), body.count(b",")
    if opened <= limits.depth and opened + members <= limits.keys and commas <= limits.values:
        return None
    bare = _bare(body)
    opened = bare.count(b"{") + bare.count(b"[")
    if bare.count(b":") + opened > limits.keys:
        return f"the body has more than {limits.keys} keys, objects and arrays"
    if bare.count(b",") > limits.values:
        return f"the body has more than {limits.values} values"
    return f"the body nests deeper than {limits.depth} levels" if _depth(bare) > limits.depth else None


def _bare(body: bytes) -> bytes:
    """Return what is outside the strings: without escapes, every second piece between quotes."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


def _depth(bare: bytes) -> int:
    steps = bare.translate(_STEPS, _NO_BRACKET)
    return max(accumulate(steps, lambda depth, step: depth + step - 1, initial=0))


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    node = dict(pairs)
    if len(node) != len(pairs):
        raise _AmbiguousError("duplicate_key", "an object in the body has the same key twice")
    return node


def _integer(text: str) -> int:
    if len(text) < _SAFE_CHARS:
        return int(text)
    if len(text) > _LONGEST_INTEGER or not -_SAFE_INTEGER <= (number := int(text)) <= _SAFE_INTEGER:
        raise _AmbiguousError(
            "number", "an integer is outside -(2^53-1) to 2^53-1, where readers disagree; send it as a string"
        )
    return number


def _fraction(text: str) -> float:
    number = float(text)
    if len(text) < _SAFE_CHARS and number and number - number == 0:
        return number
    mantissa = text.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    if len(mantissa) > _SAFE_DIGITS or number - number != 0 or (mantissa and not number):
        raise _AmbiguousError(
            "number", "a number is more precise or larger than a double can hold; send it as a string"
        )
    return number


def _constant(_text: str) -> NoReturn:
    raise _AmbiguousError("not_json", "NaN and Infinity are not JSON")


_READER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
