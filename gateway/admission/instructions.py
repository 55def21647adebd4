"""The `instructions` of a server, which clients put into the context of a model, compared with the reviewed text.

Rule 1: a pin is the digest of the text as RFC 8785 JSON. The pin of a server without instructions is the digest of
null.
Rule 2: a text that is not the pinned one is removed, and so is each key that some readers take for `instructions`.
Rule 3: null and the empty text do not instruct a model, so they pass with any pin.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.admission.decision import Verdict
from gateway.admission.digests import digest
from gateway.protocol.key_folding import fold

KEY: Final = "instructions"
ANY: Final = "any"
"""Value instead of a digest: the text is not compared."""
NO_INSTRUCTIONS: Final = digest(None)
"""The pin of a server that gives no instructions."""
_FOLDED: Final = fold(KEY)
_NONE: Final = "none"
"""Value instead of a digest: no text passes."""


class RemovedInstructions(Struct, frozen=True, kw_only=True):
    """Instructions that were removed from a result."""

    sha256: str
    text: Any
    """A text, or the value that the server sends instead."""


class Reviewed(Struct, frozen=True, kw_only=True):
    """A result with only the reviewed instructions."""

    result: dict[str, Any]
    removed: RemovedInstructions | None = None


def pin_of(instructions: object) -> str:
    """Return the pin of a server's instructions; null and the empty text count as none."""
    return digest(instructions or None)


def pinned_by(answer: object) -> str:
    """Return the pin that a decision sets: a digest, or `any`; without a route nothing passes."""
    route = answer.decision.route if isinstance(answer, Verdict) else None
    return _NONE if route is None else route.instructions


def reviewed(result: Mapping[str, Any], pin: str) -> Reviewed:
    """Return the result of `initialize` or `server/discover` without instructions that are not the pinned ones."""
    changed = [] if pin == ANY else [key for key, value in result.items() if _is_changed(key, value, pin)]
    if not changed:
        return Reviewed(result=dict(result))
    kept = {key: value for key, value in result.items() if key not in changed}
    text = result[KEY if KEY in changed else changed[0]]
    return Reviewed(result=kept, removed=RemovedInstructions(sha256=digest(text), text=text))


def _is_changed(key: str, value: object, pin: str) -> bool:
    if fold(key) != _FOLDED:
        return False
    return key != KEY or (value is not None and value != "" and digest(value) != pin)
