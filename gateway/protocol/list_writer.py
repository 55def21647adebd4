"""Writer of a result with fewer items or other members, in which numbers keep their text.

Rule 1: no digit is lost in a double: a number that orjson would write as another one keeps the text of the server.
Rule 2: bytes are copied only if every reader reads the same in them: no key twice, no keys that fold onto each other,
strict UTF-8, no unpaired surrogate. Everything else is written again, each key once, with the last of two equal ones.
Rule 3: nothing is written if nothing has to change and the result has no key twice. For a large result in an unusual
form this is not proven, because writing costs less.
Rule 4: a result that cannot be read and written again gives null, and the caller refuses it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import msgspec
import orjson
from msgspec import Struct

from gateway.protocol.errors import result_body
from gateway.protocol.json_values import as_list
from gateway.protocol.key_folding import clashing

_ABSENT: Final = object()
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SMALL: Final = 64 * 1024
"""Most bytes that are read by the slow reader only to find out that they need not be written."""
_ODD_NUMBER: Final = re.compile(rb"-0(?![.\deE])|-?\d+(?:\.\d+)?[eE][+-]?\d+|-?\d+\.\d+|-?\d{16,}")
_SPACE: Final = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


_UNWRITABLE: Final = (ValueError, TypeError, KeyError, RecursionError)
"""Errors that readers and writers raise. orjson raises `TypeError` for a value that nests too deep."""


class ListChange(Struct, frozen=True, kw_only=True):
    """The difference between a list result and the one that the server wrote."""

    member: str
    """The member that holds the items."""
    kept: Sequence[bool]
    """For each item, in order, true if it stays."""
    replaced: Mapping[str, Any] = {}
    """Members with another value, or further ones, such as `ttlMs` and `cacheScope`."""


def unchanged(raw: bytes, result: Mapping[str, Any], change: ListChange) -> bool:
    """Return whether the message `raw`, whose result was read as `result`, may be delivered unchanged."""
    items = as_list(result.get(change.member))
    if items is None or len(items) != len(change.kept) or not all(change.kept):
        return False
    if any(not _same(result.get(key, _ABSENT), to) for key, to in change.replaced.items()):
        return False
    text = _result_text(raw)
    return text is not None and _distinct(text, result)


def written(
    raw: bytes,
    result: Mapping[str, Any],
    change: ListChange,
    *,
    id: str | int,  # noqa: A002 - JSON-RPC's word
) -> bytes | None:
    """Return the response to `id` with the changed result of `raw`; null if it cannot be written.

    `raw` is a message whose `result` was read, as `gateway.protocol.message.read_reply` does.
    """
    try:
        text = _result_text(raw)
        if text is None:
            return None
        if _plain(text):
            return result_body(id, _changed(result, change))
        return _response(_members(text, result, change), id)
    except _UNWRITABLE:
        return None


def rewritten(
    raw: bytes,
    read: Mapping[str, Any],
    shown: Mapping[str, Any],
    *,
    id: str | int,  # noqa: A002 - JSON-RPC's word
) -> bytes | None:
    """Return the response to `id` with the result `shown`; null if it cannot be written.

    `read` is the result of the message `raw`. Members that are equal in both keep their text.
    """
    try:
        text = _result_text(raw)
        if text is None:
            return None
        members: dict[str, bytes] = {}
        for key, found in _OBJECT.decode(text).items():
            if key in shown:
                same = _same(read[key], shown[key])
                members[key] = _text(bytes(found), shown[key]) if same else orjson.dumps(shown[key])
        members |= {key: orjson.dumps(value) for key, value in shown.items() if key not in members}
        return _response(members, id)
    except _UNWRITABLE:
        return None


def _response(members: Mapping[str, bytes], id: str | int) -> bytes:  # noqa: A002 - JSON-RPC's word
    items = b",".join(b"%s:%s" % (orjson.dumps(key), value) for key, value in members.items())
    return b'{"jsonrpc":"2.0","id":%s,"result":{%s}}' % (orjson.dumps(id), items)


def _changed(result: Mapping[str, Any], change: ListChange) -> dict[str, Any]:
    """Return the changed result as a value."""
    kept = [item for item, keep in zip(result[change.member], change.kept, strict=True) if keep]
    return {**result, change.member: kept, **change.replaced}


def _members(text: bytes, result: Mapping[str, Any], change: ListChange) -> dict[str, bytes]:
    """Return the text of each member of the changed result."""
    members: dict[str, bytes] = {}
    for key, found in _OBJECT.decode(text).items():
        if key in change.replaced:
            members[key] = orjson.dumps(change.replaced[key])
        elif key == change.member:
            members[key] = _items(bytes(found), result[key], change.kept)
        else:
            members[key] = _text(bytes(found), result[key])
    return members | {key: orjson.dumps(to) for key, to in change.replaced.items() if key not in members}


def _items(text: bytes, items: Sequence[Any], kept: Sequence[bool]) -> bytes:
    found = _ARRAY.decode(text)
    chosen = [_text(bytes(one), item) for one, item, keep in zip(found, items, kept, strict=True) if keep]
    return b"[" + b",".join(chosen) + b"]"


def _text(text: bytes, value: Any) -> bytes:
    """Return the text of a value: unchanged, or written again if some reader reads another value in it."""
    usual = orjson.dumps(value)
    if usual == text or _plain(text):
        return usual
    again, distinct = _read(text)
    return text if distinct and clashing(again) is None else msgspec.json.encode(again)


def _plain(text: bytes) -> bool:
    """Return whether orjson writes each number of a text unchanged."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    bare = b"".join(text.split(b'"')[::2])
    return all(orjson.dumps(orjson.loads(number)) == number for number in set(_ODD_NUMBER.findall(bare)))


def _distinct(text: bytes, value: Any) -> bool:
    """Return whether no object in a text has a key twice, as far as this can be decided at a low cost."""
    try:
        usual = orjson.dumps(value)
        return usual == text or (len(text) <= _SMALL and (_SPACE.sub(rb"\1", text) == usual or _read(text)[1]))
    except _UNWRITABLE:
        return False


def _read(text: bytes) -> tuple[Any, bool]:
    """Return a value whose numbers keep their text, and whether each of its objects has distinct keys."""
    doubtful: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        node = dict(pairs)
        if len(node) != len(pairs):
            doubtful.append(pairs[0][0])
        return node

    value = json.loads(
        text.decode(), object_pairs_hook=members, parse_int=_number, parse_float=_number, parse_constant=_constant
    )
    msgspec.json.encode(value)  # a lone surrogate cannot be written
    return value, not doubtful


def _number(text: str) -> msgspec.Raw:
    return msgspec.Raw(text)


def _constant(_text: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _result_text(raw: bytes) -> bytes | None:
    """Return the text of the result in a message, which may be the only element of an array."""
    try:
        if raw.lstrip()[:1] == b"[":
            (raw,) = _ARRAY.decode(raw)
        text = bytes(_OBJECT.decode(raw)["result"])
        return text if text[:1] == b"{" else None
    except (ValueError, KeyError):
        return None


def _same(before: object, after: object) -> bool:
    return type(before) is type(after) and before == after
