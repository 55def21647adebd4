"""A server's definition of a tool, prompt, resource or template, as digests (DESIGN section 3).

Rule 1: a digest is lower-case hexadecimal SHA-256 over RFC 8785 JSON; what that cannot represent has a form of its own.
Rule 2: every field that a server sends is in a digest, known or not, but for the two that follow a resource's content.
Rule 3: two definitions have one digest only where their JSON is equal; the part names are a closed set.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Literal, cast

import orjson
import rfc8785

from gateway.admission.policy_input import Definition

DriftClass = Literal["description", "schema", "annotations", "added", "removed", "other"]

PARTS: Final[Mapping[str, DriftClass]] = {
    "title": "description",
    "description": "description",
    "icons": "description",
    "annotations": "annotations",
    "inputSchema": "schema",
    "outputSchema": "schema",
    "arguments": "schema",
    "mimeType": "schema",
    "_meta": "other",
    "name": "other",
    "uri": "other",
    "uriTemplate": "other",
    "execution": "other",
    "other": "other",
}
"""Class of a change to each part, as in `mcp.lib.definitions`; fields that no revision names are `other` together."""

HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
"""The tool annotations that policy may read, where they are booleans; absent ones have the strict default."""

_SORTED: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SORTS_OTHERWISE: Final = re.compile(rb"[\xee-\xff]")
"""Lead bytes of U+E000 and above, the only characters that UTF-8 and UTF-16 sort differently."""
_BEYOND: Final = b"\xff"
"""First byte of what RFC 8785 cannot represent: no UTF-8 text has it, so the two forms never meet."""
_DEPTH: Final = 100


def define(presented: Mapping[str, Any]) -> Definition:
    """Return the digests of one entry of a server's list, as the server sent it."""
    fields = _grouped(presented)
    texts = {name: canonical(value) for name, value in fields.items()}
    return Definition(
        sha256=digest_of_bytes(_joined(texts)),
        parts={name: digest_of_bytes(text) for name, text in texts.items()},
        annotations=_hints(fields.get("annotations")),
    )


def drift(pinned: Mapping[str, str], shown: Mapping[str, str]) -> list[DriftClass]:
    """Return the classes in which two sets of parts differ, as policy judges them, sorted; empty where equal."""
    changed = {name for name in pinned.keys() & shown.keys() if pinned[name] != shown[name]}
    classes: set[DriftClass] = {PARTS.get(name, "other") for name in changed}
    if pinned.keys() - shown.keys():
        classes.add("removed")
    if shown.keys() - pinned.keys():
        classes.add("added")
    return sorted(classes)


def digest(value: object) -> str:
    """Return the digest of one JSON value."""
    return digest_of_bytes(canonical(value))


def digest_of_bytes(text: bytes) -> str:
    """Return lower-case hexadecimal SHA-256."""
    return sha256(text).hexdigest()


def canonical(value: Any) -> bytes:
    """Return RFC 8785 JSON, or a form that starts with 0xFF where the value has none (Rule 1).

    It has none where an integer is beyond 2^53, a surrogate stands alone, a number is not finite, or values nest
    deeper than 100.
    """
    try:
        return rfc8785.dumps(value) if _has_float(value, _DEPTH) else _plain(value)
    except (rfc8785.CanonicalizationError, orjson.JSONEncodeError, UnicodeEncodeError, RecursionError):
        return _BEYOND + _beyond(value)


def _plain(value: Any) -> bytes:
    """Return RFC 8785 JSON through orjson, whose form differs in floats and in how it sorts rare characters."""
    text = orjson.dumps(value, option=_SORTED)
    return rfc8785.dumps(value) if _SORTS_OTHERWISE.search(text) else text


def _has_float(value: Any, room: int) -> bool:
    """Return whether a JSON value holds a float; RecursionError where it nests deeper than `room`."""
    kind = cast("object", type(value))
    if kind is not dict and kind is not list:
        return kind is float
    if not room:
        raise RecursionError
    found = False
    for inner in value.values() if kind is dict else value:
        if type(inner) is not str and _has_float(inner, room - 1):
            found = True
    return found


def _beyond(value: Any) -> bytes:
    """Return an unambiguous text of any JSON value; pairs and elements end in a comma, nothing recurses."""
    text = bytearray()
    todo: list[Any] = [value]
    while todo:
        item = todo.pop()
        kind = cast("object", type(item))
        if kind is bytes:
            text += item
        elif kind is dict:
            todo.append(b"}")
            for key in sorted(item, reverse=True):
                todo += [b",", item[key], b":", key]
            todo.append(b"{")
        elif kind is list:
            todo.append(b"]")
            for inner in reversed(item):
                todo += [b",", inner]
            todo.append(b"[")
        else:
            text += _scalar(item)
    return bytes(text)


def _scalar(value: Any) -> bytes:
    """Return the text of a JSON scalar: lone surrogates and non-finite numbers included."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _grouped(presented: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lasting fields by part name, in the order in which RFC 8785 sorts them."""
    resource = "uri" in presented or "uriTemplate" in presented
    fields = {name: presented[name] for name in PARTS if name != "other" and name in presented}
    other = {name: value for name, value in presented.items() if name not in fields}
    if resource:
        other.pop("size", None)
        if type(fields.get("annotations")) is dict:
            fields["annotations"] = {n: v for n, v in fields["annotations"].items() if n != "lastModified"}
    return dict(sorted((fields | {"other": other}).items())) if other else dict(sorted(fields.items()))


def _joined(texts: Mapping[str, bytes]) -> bytes:
    """Return the canonical form of an object from those of its values."""
    body = b",".join(b'"%s":%s' % (name.encode(), text.removeprefix(_BEYOND)) for name, text in texts.items())
    beyond = b"".join(b"1" if text.startswith(_BEYOND) else b"0" for text in texts.values())
    return b"{%s}" % body if b"1" not in beyond else _BEYOND + beyond + b"{%s}" % body


def _hints(annotations: object) -> dict[str, Any]:
    """Return the annotations that policy may read."""
    if not isinstance(annotations, dict):
        return {}
    return {name: annotations[name] for name in HINTS if type(annotations.get(name)) is bool}  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
