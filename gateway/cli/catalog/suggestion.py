"""Which class of action a tool may be of, and what says so: a first guess, for somebody to review.

Rule 1: a suggestion names its source; where sources disagree, the one that claims more harm counts.
Rule 2: a server's own `readOnlyHint` never makes a tool harmless whose name says otherwise.
Rule 3: what nothing speaks for is `unknown`, which policy treats as every action at once.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.protocol.values import as_object

Action = Literal["read", "write", "delete", "send", "execute", "unknown"]

_VERBS: Final[Mapping[Action, str]] = {
    "read": (
        "browse check compare count describe diff download explain fetch find get inspect list load lookup peek query "
        "read resolve retrieve search show stat status summarize tail validate view watch whoami"
    ),
    "write": (
        "add append archive assign change close commit copy create disable edit enable import insert label lock make "
        "mark merge modify move open patch pin put rename replace restore save set star store tag unarchive unlock "
        "update upload upsert write"
    ),
    "send": (
        "broadcast comment email forward invite mail message notify pay post publish push reply send share submit "
        "transfer tweet"
    ),
    "delete": "cancel clear delete destroy drop erase expunge purge remove revoke truncate uninstall unpublish wipe",
    "execute": (
        "bash build call deploy eval evaluate exec execute install invoke kill launch navigate restart run script "
        "shell spawn start stop terminate trigger"
    ),
}
"""From the least harm to the most."""
_CLASS_OF: Final[Mapping[str, Action]] = {
    verb: action for action, verbs in _VERBS.items() for verb in re.findall(r"\w+", verbs)
}
_HARM: Final = tuple(_VERBS)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_JOINS: Final = frozenset({"and", "or", "then"})


class Suggestion(Struct, frozen=True):
    """A class of action, and where it came from."""

    action: Action
    source: str


def suggestion(tool: Mapping[str, Any]) -> Suggestion:
    """Return what a tool's name and its own annotations suggest."""
    hints = as_object(tool.get("annotations")) or {}
    claimed = _claimed(hints)
    verb = _verb(str(tool.get("name", "")))
    if verb is None:
        return claimed or Suggestion("unknown", "neither an annotation nor a verb in the name")
    named = Suggestion(_CLASS_OF[verb], f"the verb `{verb}` in the name")
    if claimed is None:
        return named
    harmless = [source.action == "read" for source in (named, claimed)]
    relation = "and" if harmless[0] == harmless[1] else "against"
    doubted = harmless == [True, False]
    return Suggestion("unknown" if doubted else named.action, f"{named.source}, {relation} {claimed.source}")


def _claimed(hints: Mapping[str, Any]) -> Suggestion | None:
    """Return what the server claims; null where it claims nothing that decides."""
    if hints.get("readOnlyHint") is True:
        return Suggestion("read", "the annotation readOnlyHint=true")
    if hints.get("destructiveHint") is True:
        return Suggestion("delete", "the annotation destructiveHint=true")
    if hints.get("readOnlyHint") is False:
        return Suggestion("write", "the annotation readOnlyHint=false")
    return None


def _verb(name: str) -> str | None:
    """Return the verb that decides: the first one, or the most harmful of several that are joined by `and`."""
    words = [word.lower() for word in _WORD.findall(name)]
    verbs = [word for word in words if word in _CLASS_OF]
    if not verbs:
        return None
    return max(verbs, key=lambda verb: _HARM.index(_CLASS_OF[verb])) if _JOINS & set(words) else verbs[0]
