"""Alterations of a JSON document, one place at a time: a missing, mistyped, different, expired or loosened value.

Rule 1: alterations are JSON Patch operations (RFC 6902) with paths as lists of keys, which Rego's `json.patch` accepts.
Rule 2: the same document gives the same alterations in the same order.
"""

from collections.abc import Iterator
from typing import Any, Final

from gateway.artifact.json_narrowing import Json, is_array, is_object

Path = tuple[str | int, ...]
Patch = tuple[Json, ...]

_PAST: Final = "2026-01-01T00:00:00Z"
_SOON: Final = "2026-12-01T00:00:00Z"
_RELAXED: Final = {"owner": "o", "reason": "r", "expires": _SOON}
_RELAXABLE: Final = (
    "agent_is_cleared",
    "agent_is_registered",
    "agent_stays_in_scope",
    "definition_is_unchanged",
    "message_is_known",
    "principal_is_verified",
    "rules_permit",
    "server_requests_are_agreed",
    "target_is_listed",
)


def _enforcing(**entries: Json) -> Json:
    return {name: _RELAXED | entry for name, entry in entries.items()}


_WORDS: Final[dict[str, tuple[Any, ...]]] = {
    "expires": (_PAST, "2026-11-20T14:00:00Z", _SOON, "soon"),
    "mode": ("shadow", "warn"),
    "effect": ("allow", "deny", "hold"),
    "default": ("allow", "deny"),
    "require_pins": (True, False),
    "observe": (_RELAXED, _RELAXED | {"expires": _PAST}, _RELAXED | {"expires": "2027-06-01T00:00:00Z"}),
    "enforcement": (
        *(_enforcing(rules_permit={"mode": mode}, target_is_listed={"mode": mode}) for mode in ("warn", "hold")),
        _enforcing(rules_permit={"mode": "warn"}, agent_stays_in_scope={"mode": "hold"}),
        _enforcing(**{name: {"mode": "shadow"} for name in _RELAXABLE}),
        _enforcing(**{name: {"mode": "shadow", "reason": ""} for name in _RELAXABLE}),
        _enforcing(**{name: {"mode": "shadow", "expires": _PAST} for name in _RELAXABLE}),
        _enforcing(**{name: {"mode": "allow"} for name in _RELAXABLE}),
    ),
    "anonymous": (True, False),
    "believe_annotations": (True,),
    "check_formats": (True, False),
    "check_output": (True,),
    "instructions": (None, {"sha256": "x"}),
    "check_schemas": ("strict", "lenient"),
    "action": ("read", "write", "delete", "reed"),
    "actions": (["read"], ["write", "delete", "send", "execute", "list"], ["read", "write", "delete", "send"], ["*"]),
    "servers": (["other"], ["sl*"], ["*"]),
    "tools": (["*"], ["strange"]),
    "data_classes": (None, {"classes": ["pii", "other"], "unclassified": "other"}),
    "data": (["pii"], ["pii", "other"]),
    "reach": ("internal", "external"),
    "clearance": (["pii"], ["other"], ["pii", "other"]),
    "pin": ({"sha256": "whole", "parts": {"description": "d"}}, {"sha256": "x", "parts": {"description": "x"}}),
    "definition_drift": ({"description": "allow"}, {"schema": "warn", "added": "allow", "removed": "allow"}),
    "when": (
        {"days": ["friday"]},
        {"days": ["monday"]},
        {"hours": "08:00-18:00"},
        {"hours": "18:00-08:00"},
        {"hours": "14:00-15:00", "time_zone": "Europe/Zurich"},
    ),
    "who": (
        {"agents": ["other"]},
        {"agents": ["bot"], "kinds": ["other"]},
        {"kinds": ["claude-code", "test"]},
        {"subjects": ["sub-1", "x"]},
        {"claims": {"department": ["sales"], "/level": [3, True]}},
        {"claims": {"department": ["sales"]}, "source": ["10.0.0.0/8", "127.0.0.0/8"]},
    ),
    "arguments": (
        [{"path": "/channel", "equals": "general"}],
        [{"path": "/channel", "equals": "x"}],
        [{"path": "/limit", "at_most": 5}, {"path": "/path", "glob": "a/*"}],
        [{"path": "/limit", "above": 4}, {"path": "/limit", "below": 6}, {"path": "/limit", "at_least": 5}],
        [{"path": "/limit", "none_of": [{"above": 5}, {"below": 5}, {"equals": 7}]}],
        [{"path": "/to", "any_element": {"not": {"prefix": "a"}}}, {"path": "/to", "length": {"at_most": 2}}],
        [{"path": "/to", "every_element": {"length": {"above": 3}}}, {"path": "/absent", "absent": True}],
        [{"path": "/to", "not": {"any_element": {"not": {"matches": "^."}}}}],
        [{"path": "/path", "within": ["a"]}, {"path": "/url", "host": ["*.example.com"]}],
        [{"path": "/to", "every_element": {"domain": ["example.com"]}}],
        [{"path": "/query", "sql": {"dialect": "postgres", "only": ["select", "call"]}}],
        [{"path": "/absent", "equals": 1}],
    ),
    "unless": (
        {"who": {"agents": ["bot"]}, "when": None, "arguments": []},
        {"who": {}, "when": {"hours": "08:00-18:00"}, "arguments": []},
        {"who": {}, "when": None, "arguments": [{"path": "/channel", "equals": "general"}]},
        {"who": {"kinds": ["other"]}, "when": {"days": ["friday"]}, "arguments": [{"path": "/limit", "below": 9}]},
    ),
    "facts": (
        {},
        {"/path": {"path": "a/b"}, "/query": {"postgres": ["select"]}},
        {"/to/0": {"domain": "example.com"}, "/url": {"host": "a.example.com"}},
    ),
    "required": (["absent"], "rules_permit"),
    "formats": ("match", "mismatch", "uncheckable", "none"),
    "unchecked": (["/properties/a/pattern"], []),
    "schema": ("match", "mismatch", "uncheckable", "none"),
    "method": ("token", "jwt", "none", "mtls", "tools/list", "tools/call", "roots/list", "strange"),
    "kind": ("request", "notification", "response", "other"),
    "type": ("tool", "resource", "prompt", "task", "none"),
    "claims": ({"department": "sales"}, {"department": ["sales", 7], "level": 3}, {"department": []}),
    "source_ip": ("10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", ""),
    "groups": (["support"], ["guests"], ["support", "guests"], ["support", "desk"]),
    "unknown": (["groups"], ["subject"], ["client_id"], ["groups", "subject"]),
    "annotations": ({}, {"readOnlyHint": False}, {"readOnlyHint": True, "destructiveHint": True}),
    "sha256": ("whole", "x"),
    "definition": (None,),
    "parts": ({"description": "new", "more": "new"}, {"description": "d"}, {"inputSchema": "new"}),
    "owner": ("",),
    "reason": ("",),
    "purpose": ("",),
    "url": ("", "https://strange.example"),
    "uri": ("slack://channels/random", "demo://notes/strange"),
}
_JUNK: Final[tuple[Any, ...]] = (None, "", "x", "*", 0, True, [], ["x"], {})


def places(value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every place in the document with its value, outer ones first."""
    inner = value.items() if is_object(value) else enumerate(value) if is_array(value) else ()
    for key, found in inner:
        yield (*at, key), found
        yield from places(found, (*at, key))


def worded(document: Json) -> Iterator[tuple[Path, Any]]:
    """Yield every place with another meaningful value."""
    for path, found in places(document):
        yield from ((path, word) for word in _WORDS.get(str(path[-1]), ()) if word != found)


def damaged(document: Json) -> Iterator[Patch]:
    """Yield patches that remove every place, or give it another value or type."""
    for path, found in places(document):
        yield ({"op": "remove", "path": list(path)},)
        yield from (replacing(path, junk) for junk in _JUNK if junk != found)


def replacing(path: Path, value: Any) -> Patch:
    """Return the patch that replaces the value at an existing place."""
    return ({"op": "replace", "path": list(path), "value": value},)


def replaced(document: Any, path: Path, value: Any) -> Any:
    """Return a copy of the document with another value at an existing place; raise TypeError if it does not exist."""
    if not path:
        return value
    if is_array(document):
        if path[0] not in range(len(document)):
            raise TypeError(f"a list has no element {path[0]!r}")
        return [replaced(each, path[1:], value) if key == path[0] else each for key, each in enumerate(document)]
    return {**document, path[0]: replaced(document[path[0]], path[1:], value)}


def without(document: Any, path: Path) -> Any:
    """Return a copy of the document without an existing place."""
    first, rest = path[0], path[1:]
    if rest:
        return replaced(document, (first,), without(document[first], rest))
    if is_array(document):
        return [each for key, each in enumerate(document) if key != first]
    return {key: value for key, value in document.items() if key != first}


def applied(document: Any, patch: Patch) -> Any:
    """Return the patched document."""
    for operation in patch:
        path = tuple(operation["path"])
        removes = operation["op"] == "remove"
        document = without(document, path) if removes else replaced(document, path, operation["value"])
    return document
