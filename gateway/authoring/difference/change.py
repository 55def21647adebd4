"""One difference between two bundles, as a sentence for reviewers, with its effect on admission.

Rule 1: a change that may admit more never has the effect `same`: if the effect is not known, it is `unclear`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import orjson
from msgspec import Struct

from gateway.artifact.manifest import moment_of

Effect = Literal["looser", "unclear", "stricter", "same"]
About = Literal[
    "rule", "requirement", "server", "target", "agent", "environment", "enforcement", "data", "rego", "bundle"
]
Told = Iterator[tuple[str, Effect]]
"""Sentences without their subject, each with its effect."""
OPPOSITE: Final[Mapping[Effect, Effect]] = {
    "looser": "stricter",
    "stricter": "looser",
    "unclear": "unclear",
    "same": "same",
}
LOOSENING: Final = frozenset({"looser", "unclear"})
"""The effects that a reviewer must examine: the change admits more, or may admit more."""
_SHOWN: Final = 120


class Change(Struct, frozen=True, kw_only=True):
    """A change of one thing; its sentence consists of about, name, team and what, in this order."""

    about: About
    name: str
    what: str
    effect: Effect
    team: str = ""
    """The team in whose directory a rule is; empty if its directory has no scope."""
    lines: tuple[str, ...] = ()
    """The changed lines of the reviewed texts."""

    def __str__(self) -> str:
        team = f"(team {self.team})" if self.team else ""
        return " ".join(part for part in (self.about, self.name, team, self.what) if part)

    @property
    def loosens(self) -> bool:
        """Return whether the change admits, or may admit, more than before."""
        return self.effect in LOOSENING


def shown(value: Any) -> str:
    """Return a value of the bundle as a part of a sentence, shortened to fit a line."""
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    text = text.replace("`", "'")
    return f"`{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}`"


def moved(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the entries added to a list, and the removed ones."""
    return [each for each in new if each not in old], [each for each in old if each not in new]


def gained(old: Sequence[str], new: Sequence[str], *, more: str, fewer: str, wider: Effect) -> Told:
    """Yield the sentences for the added and the removed entries of a list; `wider` is the effect of added ones."""
    added, taken = moved(old, new)
    if added:
        yield f"{more} {listed(added)}", wider
    if taken:
        yield f"{fewer} {listed(taken)}", OPPOSITE[wider]


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: a, b and c."""
    return " and ".join(", ".join(words).rsplit(", ", 1)) if len(words) > 1 else "".join(words)


def became(field: str, old: Any, new: Any) -> str:
    """Return the sentence for a changed field."""
    if old is None:
        return f"now has {field} {shown(new)}"
    return f"no longer has {field} {shown(old)}" if new is None else f"now has {field} {shown(new)}, not {shown(old)}"


def prolonged(old: str | None, new: str | None) -> bool | None:
    """Return whether an expiry is later than before; None if that is not known. No expiry is later than any other."""
    moments = [float("inf") if text is None else moment_of(text) for text in (old, new)]
    before, after = moments
    return None if before is None or after is None else after > before


def paired(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys of both whose values differ, in order, with the two values; None stands for an absent value."""
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)
