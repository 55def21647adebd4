"""The second reading of a body: Python's own reader must read the same as orjson.

Rule 1: the body and orjson's writing of its value are compared without white space. Equal texts need no second reading,
as with canonical bytes.
Rule 2: a string or number that is written differently is read by Python's reader in both, and must be the same. A
number is also checked as text: it is refused if a reader could take it for another one.
Rule 3: everything else has to be equal: brackets, commas, colons, `true`, `false` and `null`. An object with the same
key twice has fewer members in orjson's writing.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct

from gateway.protocol.json_text import parted, restored
from gateway.protocol.malformed import Fault
from gateway.protocol.stepwise import Steps

INTEGER: Final = "an integer is outside -(2^53-1) to 2^53-1, where readers disagree; send it as a string"
"""The fault of an integer outside this range."""
_PRECISE: Final = "a number is more precise or larger than a double can hold; send it as a string"
_DUPLICATE: Final = "an object in the body has the same key twice"
_DISAGREE: Final = "two readers of JSON do not agree on the body"

_SAFE_INTEGER: Final = 2**53 - 1
_LONGEST_INTEGER: Final = len(str(-_SAFE_INTEGER))
_SAFE_DIGITS: Final = 17
"""A double written with 17 significant digits is the same double for every reader (IEEE 754)."""
_SAFE_CHARS: Final = 16
"""Numbers with fewer characters have at most 15 digits, which an integer and a double keep."""
_SPACE: Final = b" \t\r\n"
_NUMERIC: Final = b"0123456789+-.eE"
_BREAKS: Final = bytes.maketrans(b'{}[]:"', b",,,,,,")
_BATCH: Final = 4096
"""Number of strings or numbers that one step reads."""

_Text = TypeVar("_Text", bytes, str)


class ParseDifference(Struct, frozen=True):
    """Reason why two readings of a body differ."""

    fault: Fault
    reason: str


def reading(body: bytes, written: bytes) -> Steps[ParseDifference | None]:
    """Return why a body differs from orjson's writing of it; null if it does not. Both are JSON for orjson."""
    ours = parted(written)
    yield
    theirs = parted(body)
    yield
    plain, other = _outside(ours), _outside(theirs)
    problem = (yield from _numbers(plain, other)) if plain != other else None
    if problem is not None:
        return problem
    if len(ours) != len(theirs):
        return ParseDifference(fault="not_json", reason=_DISAGREE)
    for ours_now, theirs_now in _batches(ours[1::2], theirs[1::2]):
        yield
        if not _same_strings(ours_now, theirs_now):
            return ParseDifference(fault="not_json", reason=_DISAGREE)
    return None


def _outside(parts: Sequence[bytes]) -> bytes:
    return b'"'.join(parts[::2]).translate(None, _SPACE)


def _batches(ours: Sequence[_Text], theirs: Sequence[_Text]) -> Iterator[tuple[Sequence[_Text], Sequence[_Text]]]:
    """Yield the parts of two lists of one length that are not equal."""
    for start in range(0, len(ours), _BATCH):
        some, others = ours[start : start + _BATCH], theirs[start : start + _BATCH]
        if some != others:
            yield some, others


def _numbers(ours: bytes, theirs: bytes) -> Steps[ParseDifference | None]:
    """Compare the text outside of strings, number by number."""
    if ours.translate(None, _NUMERIC) != theirs.translate(None, _NUMERIC):
        twice = theirs.count(b":") > ours.count(b":")
        return ParseDifference(
            fault="duplicate_key" if twice else "not_json", reason=_DUPLICATE if twice else _DISAGREE
        )
    yield
    plain = ours.translate(_BREAKS).decode("ascii").split(",")
    yield
    other = theirs.translate(_BREAKS).decode("ascii").split(",")
    for ours_now, theirs_now in _batches(plain, other):
        yield
        problem = _other_numbers(ours_now, theirs_now)
        if problem is not None:
            return problem
    return None


def _other_numbers(ours: Sequence[str], theirs: Sequence[str]) -> ParseDifference | None:
    written = [own for own, other in zip(ours, theirs, strict=True) if own != other]
    texts = [other for own, other in zip(ours, theirs, strict=True) if own != other]
    try:
        numbers = list(map(float, texts))
        same = numbers == list(map(float, written))
    except ValueError:
        return ParseDifference(fault="not_json", reason=_DISAGREE)
    if 0.0 in numbers or max(map(len, texts)) >= _SAFE_CHARS:
        doubts = (_doubt(text, number) for text, number in zip(texts, numbers, strict=True))
        if reason := next(filter(None, doubts), ""):
            return ParseDifference(fault="number", reason=reason)
    return None if same else ParseDifference(fault="not_json", reason=_DISAGREE)


def _doubt(text: str, number: float) -> str:
    """Return why a reader may take a number for another one; empty if none may."""
    if len(text) < _SAFE_CHARS and number:
        return ""
    if text.removeprefix("-").isdigit():
        beyond = len(text) > _LONGEST_INTEGER or not -_SAFE_INTEGER <= int(text) <= _SAFE_INTEGER
        return INTEGER if beyond else ""
    mantissa = text.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    wrong = len(mantissa) > _SAFE_DIGITS or number - number != 0 or (mantissa and not number)
    return _PRECISE if wrong else ""


def _same_strings(ours: Sequence[bytes], theirs: Sequence[bytes]) -> bool:
    try:
        return _read(ours) == _read(theirs)
    except ValueError:
        return False


def _read(strings: Sequence[bytes]) -> Any:
    return json.loads(restored(b'["' + b'","'.join(strings) + b'"]').decode())
