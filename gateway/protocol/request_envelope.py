"""The envelope of a message whose content cannot be read: enough to refuse a request in the form of its method.

Rule 1: every key of the envelope is spelled exactly, occurs once, and has a valid value; otherwise the result is
null.
Rule 2: `params` and `result` are never interpreted here; the content only has to end at the end of a JSON value.
Rule 3: the cost is that of one scan; a body that only a slow reader can scan is tried up to `SLOW_BYTES`.
"""

import json
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.protocol.members import distinct, members_of

ID_CHARS: Final = 256
SEALED_ID_CHARS: Final = 1024
"""Ids of responses are the gateway's own seals around the server's ids, hence longer."""
METHOD_CHARS: Final = 256
SAFE_INTEGER: Final = 2**53 - 1
SLOW_BYTES: Final = 64 * 1024
"""Longest body that Python's own reader reads, which accepts NaN and stray bytes."""

_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})
_NOTIFICATION: Final = frozenset({"jsonrpc", "method", "params"})
_RESULT: Final = frozenset({"jsonrpc", "id", "result"})
_ERROR: Final = frozenset({"jsonrpc", "id", "error"})
_CONTENT: Final = frozenset({"params", "result", "error"})
_VALUE: Final = msgspec.json.Decoder()


class RequestEnvelope(Struct, frozen=True):
    """Method and id of a message from a client; the id is null for a notification."""

    method: str
    id: str | int | None


def request_envelope(body: bytes) -> RequestEnvelope | None:
    """Return the envelope of a request or notification, or null if two readers could disagree about it."""
    members = _scanned(body)
    if members is None and len(body) <= SLOW_BYTES:
        members = _read_leniently(body)
    if members is None or members.keys() not in (_REQUEST, _NOTIFICATION) or members["jsonrpc"] != "2.0":
        return None
    method, request_id = members["method"], members.get("id")
    if not _is_method(method) or ("id" in members and not is_id(request_id, ID_CHARS)):
        return None
    return RequestEnvelope(method, request_id)


def response_id(body: bytes) -> str | None:
    """Return the id of a client's response whose result cannot be read, or null if there is any doubt about it."""
    members = _scanned(body) or (_read_leniently(body) if len(body) <= SLOW_BYTES else None)
    if members is None or members.keys() not in (_RESULT, _ERROR) or members["jsonrpc"] != "2.0":
        return None
    found: Any = members["id"]
    return found if type(found) is str and is_id(found, SEALED_ID_CHARS) else None


def is_id(value: Any, chars: int) -> bool:
    """Return whether a value is a JSON-RPC id that every reader keeps: a string of at most `chars`, or an integer."""
    if type(value) is str:
        return len(value) <= chars and _is_text(value)
    return type(value) is int and -SAFE_INTEGER <= value <= SAFE_INTEGER


def _scanned(body: bytes) -> dict[str, Any] | None:
    """Return the members, with the content unread, by a fast reader that refuses invalid JSON."""
    try:
        members = members_of(body)
        if not distinct(body):
            return None
        return {key: None if key in _CONTENT else _VALUE.decode(raw) for key, raw in members.items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _read_leniently(body: bytes) -> dict[str, Any] | None:
    """Return the members of a body that has NaN, or bytes that are not UTF-8, inside its `params`."""
    try:
        pairs: object = _LENIENT.decode(body.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    if type(pairs) is not tuple:
        return None
    members = dict(cast("tuple[tuple[str, Any], ...]", pairs))
    return members if len(members) == len(cast("tuple[Any, ...]", pairs)) else None


def _is_method(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= METHOD_CHARS and _is_text(value)


def _is_text(value: str) -> bool:
    """Return whether a string can be written as UTF-8: an unpaired surrogate stands for an invalid byte."""
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


_LENIENT: Final = json.JSONDecoder(object_pairs_hook=tuple)
