"""One JSON value out of bytes, such that every reader in the world reads the same value.

Rule 1: canonical bytes (equal to what orjson writes for what it read) need no second look: they have no duplicate key,
no NaN, no lone surrogate, no integer beyond 53 bits, and no number that another reader would take for another one.
Rule 2: all other bytes are read twice, by orjson and by a strict reader that sees every key and every number as text;
if the two differ, the bytes are ambiguous and refused.
Rule 3: no input raises, whatever it is.
"""

import json
from typing import Any, Final, NoReturn, cast

import orjson
from msgspec import Struct

from gateway.protocol.errors import INVALID_REQUEST, PARSE_ERROR
from gateway.protocol.malformed import Fault, Malformed

_SAFE_INTEGER: Final = 2**53 - 1
_LONGEST_INTEGER: Final = len(str(-_SAFE_INTEGER))
_SAFE_DIGITS: Final = 17
"""A double written with 17 significant digits is the same double for every reader (IEEE 754)."""


class Limits(Struct, frozen=True, kw_only=True):
    """What a body may be at most: bytes, nesting, and members of all its objects together."""

    size: int = 4 * 1024 * 1024
    depth: int = 64
    keys: int = 50_000


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
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _refused("not_json", f"the body is not strict JSON in UTF-8: {error.msg} at character {error.pos}")
    if body.count(b"{") + body.count(b"[") > limits.depth or len(body) > 4 * limits.keys:  # "":0 is the least member
        problem = _excess(value, limits)
        if problem is not None:
            return _refused("too_complex", problem)
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


def _excess(value: Any, limits: Limits) -> str | None:
    """Return which limit the value breaks; it goes level by level, so that depth is what it counts."""
    level: list[Any] = [value]
    depth = keys = 0
    while True:
        objects = [cast("dict[str, Any]", node) for node in level if type(node) is dict]
        lists = [cast("list[Any]", node) for node in level if type(node) is list]
        if not objects and not lists:
            return None
        depth += 1
        keys += sum(map(len, objects))
        if depth > limits.depth:
            return f"the body nests deeper than {limits.depth} levels"
        if keys > limits.keys:
            return f"the body has more than {limits.keys} keys"
        level = [inner for node in objects for inner in node.values()] + [inner for node in lists for inner in node]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    node = dict(pairs)
    if len(node) != len(pairs):
        raise _AmbiguousError("duplicate_key", "an object in the body has the same key twice")
    return node


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER or not -_SAFE_INTEGER <= (number := int(text)) <= _SAFE_INTEGER:
        raise _AmbiguousError(
            "number", "an integer is outside -(2^53-1) to 2^53-1, where readers disagree; send it as a string"
        )
    return number


def _fraction(text: str) -> float:
    number = float(text)
    mantissa = text.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    if len(mantissa) > _SAFE_DIGITS or number in {float("inf"), float("-inf")} or (mantissa and not number):
        raise _AmbiguousError(
            "number", "a number is more precise or larger than a double can hold; send it as a string"
        )
    return number


def _constant(_text: str) -> NoReturn:
    raise _AmbiguousError("not_json", "NaN and Infinity are not JSON")


_READER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
