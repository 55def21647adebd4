"""A suggested class of action for a tool, with its source: a first guess for a person to review.

Rule 1: every word of a name that may be a verb counts, at any position. The verb with the greatest potential harm
decides.
Rule 2: a name without a known verb is `unknown`, which policy treats as every action at once.
Rule 3: a server's claims can only make a suggestion worse. `readOnlyHint: true` counts only if the catalog trusts the
annotations of the server, and never against a verb in the name.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from gateway.cli.catalog.action_verbs import CLASS_OF, HARM, NOUNS, PHRASES, Action
from gateway.protocol.json_values import as_object

_WORDS: Final = (re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+"), re.compile(r"[A-Z]+|[a-z]+"))
"""Two ways to split a name into words: `HTTPDelete`, and `DELETEfile`."""


class Suggestion(Struct, frozen=True):
    """A class of action and its source."""

    action: Action
    source: str


def suggestion(tool: Mapping[str, Any], *, believe_annotations: bool = False) -> Suggestion:
    """Return the class that a tool's name and annotations suggest."""
    hints = as_object(tool.get("annotations")) or {}
    named = _named(str(tool.get("name", "")))
    if hints.get("readOnlyHint") is True and believe_annotations and named.action == "unknown":
        named = Suggestion("read", "the annotation readOnlyHint=true, which the catalog trusts")
    elif hints.get("readOnlyHint") is True:
        named = Suggestion(named.action, f"{named.source}; the annotation readOnlyHint=true is not trusted")
    for hint, value, at_least in _CLAIMS:
        if hints.get(hint) is value:
            named = _worse(named, at_least, f"the annotation {hint}={str(value).lower()}")
    return named


_CLAIMS: Final[tuple[tuple[str, bool, Action], ...]] = (
    ("openWorldHint", True, "send"),
    ("destructiveHint", True, "delete"),
    ("readOnlyHint", False, "write"),
)
"""Annotation -> the class that it implies at least."""


def _worse(named: Suggestion, claimed: Action, claim: str) -> Suggestion:
    if HARM.index(claimed) <= HARM.index(named.action):
        return Suggestion(named.action, f"{named.source}, and {claim}")
    if claimed == "write":  # "not read-only" does not limit the harm
        return Suggestion("unknown", f"{named.source}, against {claim}")
    return Suggestion(claimed, f"{named.source}, made worse by {claim}")


def _named(name: str) -> Suggestion:
    """Return the class that the verbs in a name suggest."""
    readable = unicodedata.normalize("NFKC", name)
    found = [word for word in _words(readable) if word in CLASS_OF]
    if not found:
        return Suggestion("unknown", "no known verb in the name")
    verb = max(found, key=lambda word: HARM.index(CLASS_OF[word]))
    if CLASS_OF[verb] == "read" and any(letter.isalpha() and not letter.isascii() for letter in readable):
        return Suggestion("unknown", f"the verb `{verb}` in the name, next to unreadable letters")
    return Suggestion(CLASS_OF[verb], f"the verb `{verb}` in the name")


def _words(name: str) -> Iterator[str]:
    """Yield the words of a name, the verbs formed by two of them, and the stems of verbs in the third person."""
    for pattern in _WORDS:
        words = [word.lower() for word in pattern.findall(name)]
        yield from (word for before, word in pairwise(["", *words]) if (before, word) not in PHRASES)
        yield from _compounds({*words})
        yield from (stem for word in words for stem in _stems(word) if stem in CLASS_OF and stem not in NOUNS)


def _compounds(words: AbstractSet[str]) -> Iterator[str]:
    """Yield the verbs that are written as two words: `check_out`, `rollBack`."""
    return (
        verb for verb in CLASS_OF if any(verb[:cut] in words and verb[cut:] in words for cut in range(2, len(verb) - 1))
    )


def _stems(word: str) -> Iterator[str]:
    """Yield the possible stems of a word in the third person: `deletes`, `pushes`, `copies`."""
    if word.endswith("s"):
        yield word[:-1]
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("ies"):
        yield f"{word[:-3]}y"
