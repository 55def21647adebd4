"""Replace values inside JSON text and keep every other value byte for byte.

Rule 1: numbers and strings that are not replaced keep their original text.
Rule 2: an object on the way to a replaced value is written with each key once; of two equal keys the last one stays,
which is the one that was judged.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import msgspec
import orjson

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

T = TypeVar("T")
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODER: Final = msgspec.json.Encoder()


def spliced(raw: bytes, changes: Mapping[Path, Any]) -> bytes:
    """Return `raw` with the value at each path replaced; every path must exist in `raw`, which must be JSON."""
    return _spliced(raw, {path: orjson.dumps(value) for path, value in changes.items()})


def altered(value: Any, changes: Mapping[Path, Any]) -> Any:
    """Return a parsed value with the value at each path replaced; the other values are shared, not copied."""
    if not changes:
        return value
    if () in changes:
        return changes[()]
    copied: Any = list(cast("list[Any]", value)) if type(value) is list else dict(cast("dict[str, Any]", value))
    for head, below in _below(changes).items():
        copied[head] = altered(copied[head], below)
    return copied


def _below(changes: Mapping[Path, T]) -> dict[str | int, dict[Path, T]]:
    """Return the changes by the first step of their paths."""
    below: dict[str | int, dict[Path, T]] = {}
    for (head, *rest), value in changes.items():
        below.setdefault(head, {})[tuple(rest)] = value
    return below


def _spliced(raw: bytes, changes: Mapping[Path, bytes]) -> bytes:
    if not changes:
        return raw
    if () in changes:
        return changes[()]
    below = _below(changes)
    if raw.lstrip()[:1] == b"[":
        return _in_array(_ARRAY.decode(raw), below)
    return _in_object(_OBJECT.decode(raw), below)


def _in_object(members: dict[str, msgspec.Raw], below: Mapping[str | int, Mapping[Path, bytes]]) -> bytes:
    for key, changes in below.items():
        members[str(key)] = msgspec.Raw(_spliced(bytes(members[str(key)]), changes))
    return _ENCODER.encode(members)


def _in_array(values: list[msgspec.Raw], below: Mapping[str | int, Mapping[Path, bytes]]) -> bytes:
    for index, changes in below.items():
        values[int(index)] = msgspec.Raw(_spliced(bytes(values[int(index)]), changes))
    return _ENCODER.encode(values)
