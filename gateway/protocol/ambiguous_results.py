"""Checks for results that readers may misread, because they disagree on which key counts.

Rule 1: a key that folds onto a key by which results are judged would be read by some clients, but not judged.
Rule 2: of two equal keys some readers use the other one; such a result is written again.
"""

from collections.abc import Collection, Iterable
from typing import Final

from gateway.protocol.key_folding import fold
from gateway.protocol.malformed import Malformed
from gateway.protocol.strict_json import parse

_JUDGED: Final = frozenset(
    {
        "cacheScope",
        "capabilities",
        "inputRequests",
        "instructions",
        "nextCursor",
        "prompts",
        "protocolVersion",
        "resourceTemplates",
        "resources",
        "resultType",
        "task",
        "tasks",
        "tools",
        "ttlMs",
    }
)
"""Keys of a result by which it is judged."""
_FOLDED: Final = frozenset(map(fold, _JUDGED))
_ORDINARY: Final = _JUDGED | {"_meta", "content", "isError", "structuredContent"}
"""Keys that no reader confuses with one of the judged keys."""
_ERROR: Final = frozenset({"code", "message", "data"})
_RESULT_TYPES: Final = frozenset({"complete", "input_required", "task"})
_COUNTING: Final = (b"resultType", b"cacheScope", b"ttlMs", b"capabilities")


def misleading(keys: Collection[str]) -> bool:
    """Return whether some readers take one of a result's keys for another one."""
    return not _ORDINARY.issuperset(keys) and any(fold(key) in _FOLDED for key in keys if key not in _JUDGED)


def misleading_error(keys: Iterable[str]) -> bool:
    """Return whether some readers take one of an error's keys for another one."""
    return any(fold(key) in _ERROR for key in keys if key not in _ERROR)


def unknown_type(result_type: object) -> bool:
    """Return whether the gateway does not know a `resultType`: the client's behavior is then unknown too."""
    return not isinstance(result_type, str) or result_type not in _RESULT_TYPES


def ambiguous(raw: bytes) -> bool:
    """Return whether some readers may find another value than the gateway under a key that counts in the modern era."""
    for key in _COUNTING:
        if raw.count(key) > 1:
            return True
    return raw.find(b"\\u00") >= 0


def unequivocal(raw: bytes) -> bool:
    """Return whether every reader reads a whole message alike; only for small ones: it may be read three times."""
    return not isinstance(parse(raw), Malformed)
