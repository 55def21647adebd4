"""One difference between two bundles, in words a reviewer reads, with what it means for what is admitted.

Rule 1: what may admit more is never called the same: where it cannot be told, the effect is `unclear`.
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
"""What a reviewer must look at: it admits more, or may."""
_SHOWN: Final = 120


class Change(Struct, frozen=True, kw_only=True):
    """What became of one thing; the sentence is about, name, team and what, in this order."""

    about: About
    name: str
    what: str
    effect: Effect
    team: str = ""
    """The team in whose directory a rule is; empty if its directory has no scope."""
    lines: tuple[str, ...] = ()
    """The reviewed words that changed, line by line."""

    def __str__(self) -> str:
        team = f"(team {self.team})" if self.team else ""
        return " ".join(part for part in (self.about, self.name, team, self.what) if part)

    @property
    def loosens(self) -> bool:
        """True where more may be admitted than before."""
        return self.effect in LOOSENING


def shown(value: Any) -> str:
    """A value of the bundle in a sentence, never longer than a line."""
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    text = text.replace("`", "'")
    return f"`{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}`"


def moved(old: Sequence[str], new: Sequence[str]) -> tuple[list[str], list[str]]:
    """What was added to a list, and what was taken from it."""
    return [each for each in new if each not in old], [each for each in old if each not in new]


def gained(old: Sequence[str], new: Sequence[str], *, more: str, fewer: str, wider: Effect) -> Told:
    """What is said of a list that has more entries, and of one that has fewer; `wider` is the effect of more."""
    added, taken = moved(old, new)
    if added:
        yield f"{more} {listed(added)}", wider
    if taken:
        yield f"{fewer} {listed(taken)}", OPPOSITE[wider]


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: a, b and c."""
    return " and ".join(", ".join(words).rsplit(", ", 1)) if len(words) > 1 else "".join(words)


def became(field: str, old: Any, new: Any) -> str:
    """What is said of a field that has another value."""
    if old is None:
        return f"now has {field} {shown(new)}"
    return f"no longer has {field} {shown(old)}" if new is None else f"now has {field} {shown(new)}, not {shown(old)}"


def prolonged(old: str | None, new: str | None) -> bool | None:
    """Whether an end has moved further away; None where that cannot be told. No end is further than any."""
    moments = [float("inf") if text is None else moment_of(text) for text in (old, new)]
    before, after = moments
    return None if before is None or after is None else after > before


def paired(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Every key of both, in order, with its two values where they differ; None where there is none."""
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)
