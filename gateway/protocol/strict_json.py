"""Reader of one JSON value from bytes, such that every other reader reads the same value.

Rule 1: canonical bytes (equal to orjson's writing of the value that it read) need no second reading: they have no
duplicate key, no NaN, no unpaired surrogate, no integer beyond 53 bits, and no ambiguous number.
Rule 2: in all other bytes, each string and number that is not canonical is read again by a second reader, which sees it
as text (see `second_parse`); if the two readers differ, the bytes are ambiguous and refused.
Rule 3: the contents of a body are counted before it is parsed; no input raises, or costs much more than its size.
"""

from itertools import accumulate
from typing import Any, Final

import orjson
from msgspec import Struct

from gateway.protocol import second_parse as second
from gateway.protocol.errors import INVALID_REQUEST, PARSE_ERROR
from gateway.protocol.malformed import Fault, Malformed
from gateway.protocol.stepwise import Steps, finish

_NO_BRACKET: Final = bytes(set(range(256)) - set(b"{}[]"))
_STEPS: Final = bytes.maketrans(b"{[}]", b"\x02\x02\x00\x00")


class JsonLimits(Struct, frozen=True, kw_only=True):
    """The limits of a body, so that no body costs much more than its size."""

    size: int = 4 * 1024 * 1024
    """Bytes."""
    depth: int = 64
    keys: int = 20_000
    """Number of members of all objects together; every object and array counts as one more."""
    values: int = 200_000
    """Number of commas between members and elements, together."""


DEFAULT: Final = JsonLimits()


def parse(body: bytes, limits: JsonLimits = DEFAULT) -> Any | Malformed:
    """Return the value of a body, or the reason why readers may disagree about it."""
    return finish(parsing(body, limits))


def parsing(body: bytes, limits: JsonLimits = DEFAULT) -> Steps[Any | Malformed]:
    """Return the result of `parse`, in steps."""
    if len(body) > limits.size:
        reason = f"the body has {len(body)} bytes; {limits.size} are allowed"
        return Malformed(fault="too_large", code=INVALID_REQUEST, status=413, reason=reason)
    if (problem := _excess(body, limits)) is not None:
        return _refused("too_complex", problem)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _refused("not_json", f"the body is not strict JSON in UTF-8: {error.msg} at character {error.pos}")
    yield
    try:
        written = orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError:
        return _refused("number", second.INTEGER)
    if written == body:
        return value
    yield
    problem = yield from second.reading(body, written)
    return value if problem is None else _refused(problem.fault, problem.reason)


def crowded(body: bytes, most: int) -> bool:
    """Return whether a body has more than `most` objects and arrays; those in its strings do not count."""
    if body.count(b"{") + body.count(b"[") <= most:
        return False
    bare = _bare(body)
    return bare.count(b"{") + bare.count(b"[") > most


def _refused(fault: Fault, reason: str) -> Malformed:
    return Malformed(fault=fault, code=PARSE_ERROR if fault == "not_json" else INVALID_REQUEST, reason=reason)


def _excess(body: bytes, limits: JsonLimits) -> str | None:
    """Return which limit a body breaks; JSON without its strings shows its structure."""
    opened, members, commas = body.count(b"{") + body.count(b"["), body.count(b":"), body.count(b",")
    if opened <= limits.depth and opened + members <= limits.keys and commas <= limits.values:
        return None
    bare = _bare(body)
    opened = bare.count(b"{") + bare.count(b"[")
    if bare.count(b":") + opened > limits.keys:
        return f"the body has more than {limits.keys} keys, objects and arrays (`limits.keys`)"
    if bare.count(b",") > limits.values:
        return f"the body has more than {limits.values} values (`limits.values`)"
    return f"the body nests deeper than {limits.depth} levels (`limits.depth`)" if _depth(bare) > limits.depth else None


def _bare(body: bytes) -> bytes:
    """Return the text outside the strings: without escapes, every second piece between quotes."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


def _depth(bare: bytes) -> int:
    steps = bare.translate(_STEPS, _NO_BRACKET)
    return max(accumulate(steps, lambda depth, step: depth + step - 1, initial=0))
