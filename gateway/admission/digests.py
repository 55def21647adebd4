"""A server's definition of a tool, prompt, resource or template, as digests (DESIGN section 3).

Rule 1: a digest is lower-case hexadecimal SHA-256 over RFC 8785 JSON; values that RFC 8785 cannot represent have a form
of their own.
Rule 2: a digest covers every field that a server sends, known or not, except the two that follow a resource's content.
Rule 3: two definitions have the same digest only if their JSON is equal; the part names are a closed set.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Literal, cast

import orjson

from gateway.admission.canonical_numbers import rewriting
from gateway.admission.json_walk import depth, has_nodes, inner, nodes
from gateway.admission.policy_input import Definition
from gateway.protocol.stepwise import Steps, finish

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
"""Class of a change to each part, as in `mcp.lib.definitions`. Fields that no revision names share the part `other`."""

HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
"""The tool annotations that policy may read if they are booleans; absent ones have the strict default."""

_SORTED: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SORTS_OTHERWISE: Final = range(0xEE, 0x100)
"""Lead bytes of U+E000 and above, the only characters that UTF-8 and UTF-16 sort differently."""
_FLOATS: Final = (b".", b"e+", b"e-", b"null")
"""Each float contains one of these as orjson writes it."""
_BEYOND: Final = b"\xff"
"""First byte of values that RFC 8785 cannot represent. No UTF-8 text has it, so the two forms never collide."""
_DEPTH: Final = 100


def define(presented: Mapping[str, Any]) -> Definition:
    """Return the digests of one entry of a server's list, as the server sent it."""
    return defined(grouped(presented))


def defined(fields: Mapping[str, Any]) -> Definition:
    """Return the digests of a definition from its parts, joined in the order in which RFC 8785 sorts them."""
    fields = dict(sorted(fields.items()))
    texts = {name: canonical(value) for name, value in fields.items()}
    return Definition(
        sha256=digest_of_bytes(_joined(texts)),
        parts={name: digest_of_bytes(text) for name, text in texts.items()},
        annotations=_hints(fields.get("annotations")),
    )


def drift(pinned: Mapping[str, str], shown: Mapping[str, str]) -> list[DriftClass]:
    """Return the classes in which two sets of parts differ, sorted, as policy judges them; empty if they are equal."""
    pinned, shown = stated(pinned), stated(shown)
    changed = {name for name in pinned.keys() & shown.keys() if pinned[name] != shown[name]}
    classes: set[DriftClass] = {PARTS.get(name, "other") for name in changed}
    if pinned.keys() - shown.keys():
        classes.add("removed")
    if shown.keys() - pinned.keys():
        classes.add("added")
    return sorted(classes)


def stated(parts: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of parts without a default `execution`, which means the same as none (`mcp.lib.definitions`).

    Only revision 2025-11-25 has the field, so a server of several revisions sends it in one and not in another.
    """
    return {part: each for part, each in parts.items() if part != "execution" or each not in _DEFAULT_EXECUTIONS}


def digest(value: object) -> str:
    """Return the digest of one JSON value."""
    return digest_of_bytes(canonical(value))


def digest_of_bytes(text: bytes) -> str:
    """Return lower-case hexadecimal SHA-256."""
    return sha256(text).hexdigest()


def canonical(value: Any) -> bytes:
    """Return RFC 8785 JSON, or a form that starts with 0xFF if the value has none (Rule 1).

    A value has none if an integer is beyond 2^53, a surrogate is unpaired, a number is not finite, or values nest
    deeper than 100.
    """
    return finish(canonizing(value))


def canonizing(value: Any) -> Steps[bytes]:
    """Return the result of `canonical`, in steps."""
    try:
        text = orjson.dumps(value, option=_SORTED)
    except orjson.JSONEncodeError:
        return _BEYOND + _beyond(value)
    yield
    floats = _floats(text, value)
    if _too_deep(text, value) or (floats and b"null" in text and not _finite(value)):
        return _BEYOND + _beyond(value)
    if not text.isascii() and any(lead in text for lead in _SORTS_OTHERWISE):
        yield
        text = orjson.dumps(_resorted(value), option=orjson.OPT_STRICT_INTEGER)
    return (yield from rewriting(text)) if floats else text


def _floats(text: bytes, value: Any) -> bool:
    """Return whether a JSON value holds a float; `text` is the value as orjson writes it."""
    for sign in _FLOATS:
        if text.find(sign) >= 0:  # faster than `in`, which first tries to convert the bytes to an integer
            return type(value) is float or any(float in set(map(type, inner(node))) for node in nodes(value))
    return False


def _finite(value: Any) -> bool:
    """Return whether no number is infinite or NaN, which orjson writes as null."""
    return all(
        number - number == 0 for node in (*nodes(value), [value]) for number in inner(node) if type(number) is float
    )


def _too_deep(text: bytes, value: Any) -> bool:
    return text.count(b"[") + text.count(b"{") > _DEPTH and depth(value) > _DEPTH


def _resorted(value: Any) -> Any:
    """Return the value with every object in the order of UTF-16 (RFC 8785 section 3.2.3)."""
    if type(value) is dict:
        members = cast("dict[str, Any]", value)
        return {key: _resorted(members[key]) for key in sorted(members, key=_utf16)}
    if type(value) is list and has_nodes(elements := cast("list[Any]", value)):
        return [_resorted(element) for element in elements]
    return cast("object", value)


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _beyond(value: Any) -> bytes:
    """Return an unambiguous text of any JSON value. Pairs and elements end in a comma, and nothing recurses."""
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


def grouped(presented: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a definition that last, by part name."""
    resource = "uri" in presented or "uriTemplate" in presented
    fields = {name: presented[name] for name in PARTS if name != "other" and name in presented}
    other = {name: value for name, value in presented.items() if name not in fields}
    if resource:
        other.pop("size", None)
        if type(fields.get("annotations")) is dict:
            fields["annotations"] = {n: v for n, v in fields["annotations"].items() if n != "lastModified"}
    return fields | {"other": other} if other else fields


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


_DEFAULT_EXECUTIONS: Final = frozenset(map(digest, ({}, {"taskSupport": "forbidden"})))
"""Digests of the `execution` of a tool that does not run as a task."""
