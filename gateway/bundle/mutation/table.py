"""The table of questions that every surviving mutant is asked, under policies that are whole, altered and damaged.

Rule 1: a policy is data that a build made, as it is, with one meaning changed and everything sealed anew (what a team
might have written), or with one place damaged (what nobody wrote).
Rule 2: the table is bounded and deterministic: where there is more to ask than fits, a fixed sample is asked.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct

from gateway.bundle.data import rule_indexes
from gateway.bundle.mutation.alterations import Patch, Path, applied, damaged, replaced, replacing, worded
from gateway.bundle.mutation.questions import questions
from gateway.bundle.plain import Json

BASE: Final = 400
"""Questions that are asked under the data as it is."""
ALTERED: Final = 1200
"""Questions of which one place is altered, under the data as it is."""
VARIED: Final = 12
"""Questions of an environment whose places are altered."""
POLICIES: Final = 300
EACH: Final = 8
"""Questions that are asked under each altered policy."""
T = TypeVar("T")
_SEALED: Final = ("environment", "required", "enforcement", "catalog", "agents", "rules", "own")


class Base(Struct, frozen=True):
    """The data of one environment, and the questions that its own scenarios ask."""

    name: str
    data: Json
    asked: Sequence[Json] = ()


class Policy(Struct, frozen=True):
    """The data of a base (by number) under a patch."""

    base: int
    patch: Patch


Pair = tuple[int, int]
"""The number of a policy and the number of a question that is asked under it."""


class Table(Struct, frozen=True):
    """Bases, policies and questions by number, and which question is asked under which policy."""

    bases: tuple[Base, ...]
    policies: tuple[Policy, ...]
    questions: tuple[Json, ...]
    pairs: tuple[Pair, ...]


def table(bases: Sequence[Base], seed: int) -> Table:
    """The table over these environments, each with an equal share."""
    policies: list[Policy] = []
    asked: list[Json] = []
    pairs: list[Pair] = []
    for number, base in enumerate(bases):
        chance = random.Random(seed)  # noqa: S311 - a fixed sample, no secret
        plain = [*base.asked, *_some(questions(base.data), BASE // len(bases), chance)]
        changed = [each for question in _some(plain, VARIED, chance) for each in _altered(question)]
        first = len(asked)
        asked += [*plain, *_some(changed, ALTERED // len(bases), chance)]
        pairs += [(len(policies), question) for question in range(first, len(asked))]
        policies.append(Policy(number, ()))
        for patch in _policies(base.data, POLICIES // len(bases), chance):
            under = _some(range(first, first + len(plain)), EACH, chance)
            pairs += [(len(policies), question) for question in under]
            policies.append(Policy(number, patch))
    return Table(tuple(bases), tuple(policies), tuple(asked), tuple(pairs))


def _some(every: Iterable[T], most: int, chance: random.Random) -> list[T]:
    known = list(every)
    return known if len(known) <= most else chance.sample(known, most)


def _altered(question: Json) -> list[Json]:
    meant = [replaced(question, path, word) for path, word in worded(question)]
    broken = [applied(question, patch) for patch in damaged(question)]
    return [*meant, *broken]


def _policies(data: Json, most: int, chance: random.Random) -> list[Patch]:
    parts = {key: data[key] for key in _SEALED if key in data}
    sealed = (_sealed(data, path, word) for path, word in worded(parts))
    meant = [patch for patch in sealed if patch is not None]
    broken = list(damaged({key: data[key] for key in (*_SEALED, "index") if key in data}))
    return [*_some(meant, most * 2 // 3, chance), *_some(broken, most // 3, chance)]


def _sealed(data: Json, path: Path, word: Any) -> Patch | None:
    """The patch to another meaning, with the index made anew over it; none where no index can be made."""
    altered = replaced(data, path, word)
    try:
        index = altered["index"] | rule_indexes(altered["rules"], altered["agents"], altered["catalog"]["servers"])
    except (KeyError, TypeError, AttributeError):
        return None
    return (*replacing(path, word), *replacing(("index",), index))
