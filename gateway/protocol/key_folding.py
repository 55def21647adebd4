"""Keys that one reader takes for another: the same letters in another case, or in letters that fold to them.

Rule 1: a key that folds onto a reserved key without being that key is refused: `encoding/json` of Go and others would
accept it (CVE-2026-27896; PROTOCOL section 7).
Rule 2: two keys of one object that fold onto each other are refused, at any depth.
Rule 3: folding errs on the strict side: keys that any known reader takes for equal are equal here.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, cast
from unicodedata import normalize

PARAMS: Final = frozenset(
    [
        "_meta",
        "argument",
        "arguments",
        "capabilities",
        "clientInfo",
        "context",
        "cursor",
        "data",
        "elicitationId",
        "error",
        "includeContext",
        "inputResponses",
        "level",
        "logger",
        "maxTokens",
        "message",
        "messages",
        "meta",
        "method",
        "mode",
        "modelPreferences",
        "name",
        "notifications",
        "progress",
        "progressToken",
        "protocolVersion",
        "reason",
        "ref",
        "requestId",
        "requestState",
        "requestedSchema",
        "stopSequences",
        "systemPrompt",
        "task",
        "taskId",
        "temperature",
        "toolChoice",
        "tools",
        "total",
        "uri",
        "url",
    ]
)
"""Keys directly under `params` that have a meaning in some revision."""

META: Final = frozenset(
    [
        "progressToken",
        "traceparent",
        "tracestate",
        "baggage",
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/serverInfo",
        "io.modelcontextprotocol/logLevel",
        "io.modelcontextprotocol/subscriptionId",
        "io.modelcontextprotocol/related-task",
        "io.modelcontextprotocol/tasks",
    ]
)
"""Keys under `params._meta` that have a meaning in some revision."""

NESTED: Final[dict[str, frozenset[str]]] = {
    "_meta": META,
    "ref": frozenset({"type", "name", "uri", "title"}),
    "argument": frozenset({"name", "value"}),
    "context": frozenset({"arguments"}),
    "task": frozenset({"ttl"}),
    "notifications": frozenset(
        {"toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds"}
    ),
}
"""Objects directly under `params` whose own keys have a meaning. `arguments` belongs to the tool and is not
included."""

ANSWER: Final = frozenset({"_meta", "action", "content", "model", "resultType", "role", "roots", "stopReason"})
"""Keys of a client's answer to elicitation, sampling and roots, as a response or inside `inputResponses`."""

_MCP_PREFIX: Final = re.compile(r"(?:[^/.]+\.)(?:mcp|modelcontextprotocol)(?:\.[^/]*)?/")


def fold(key: str) -> str:
    """Return the form by which a lenient reader may compare keys: one case, one accent form, nothing invisible.

    Compatibility forms (NFKC) are not folded: no reader folds them, and one such character can become 18.
    """
    if key.isascii() and key.isprintable():
        return key.lower()
    plain = normalize("NFC", _visible(key.partition("\x00")[0])).replace("\u0130", "i").replace("\u0131", "i")
    return _visible(normalize("NFC", plain.upper().casefold()))


def _visible(key: str) -> str:
    return key if key.isprintable() else "".join(filter(str.isprintable, key))


_FOLDED: Final[dict[frozenset[str], frozenset[str]]] = {
    reserved: frozenset(map(fold, reserved)) for reserved in (PARAMS, ANSWER, *NESTED.values())
}
RESERVED: Final = PARAMS.union(ANSWER, *NESTED.values())
"""All keys that have a meaning; no two of them fold onto each other."""


def misspelt(params: dict[str, Any]) -> str | None:
    """Return the first key of `params`, or of an object under it, that only resembles a reserved key; else None."""
    if not PARAMS.issuperset(params) and (key := _resembling(params, PARAMS)) is not None:
        return key
    for name, inner in params.items():
        if type(inner) is dict and (reserved := NESTED.get(name)) is not None:
            node = cast("dict[str, Any]", inner)
            if not reserved.issuperset(node) and (key := _resembling(node, reserved)) is not None:
                return f"{name}.{key}"
    answers = params.get("inputResponses")
    if type(answers) is dict:
        return next(filter(None, map(misspelt_answer, cast("dict[str, Any]", answers).values())), None)
    return None


def misspelt_answer(answer: Any) -> str | None:
    """Return the first key of a client's answer that only resembles one with a meaning; else None."""
    return _resembling(cast("dict[str, Any]", answer), ANSWER) if type(answer) is dict else None


def _resembling(node: dict[str, Any], reserved: frozenset[str]) -> str | None:
    folded = _FOLDED[reserved]
    for key in node:
        if key not in reserved:
            form = fold(key)
            if form in folded or (reserved is META and form != key and _MCP_PREFIX.match(form)):
                return key
    return None


def clashing(value: Any) -> str | None:
    """Return a key that folds onto another key of the same object, anywhere in the value; else None.

    It recurses as deep as the value nests, which `strict.parse` has bounded.
    """
    if type(value) is dict:
        node = cast("dict[str, Any]", value)
        if not RESERVED.issuperset(node) and len(node) > 1 and (key := _clash(node)) is not None:
            return key
        value = node.values()
    elif type(value) is not list:
        return None
    for inner in cast("Iterable[Any]", value):
        if (type(inner) is dict or type(inner) is list) and inner and (key := clashing(inner)) is not None:
            return key
    return None


def _clash(node: dict[str, Any]) -> str | None:
    joined = "".join(node)
    if joined.isascii() and joined.isprintable() and (joined.islower() or len({*map(str.lower, node)}) == len(node)):
        return None
    seen: set[str] = set()
    for key in node:
        form = fold(key)
        if form in seen:
            return key
        seen.add(form)
    return None
