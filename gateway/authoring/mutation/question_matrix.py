"""The table of questions for every surviving mutant, with unchanged, altered and damaged policies.

Rule 1: a policy is the data of a build in one of three forms: unchanged, with one changed meaning and a new index
(which a team might have written), or with one damaged place (which no team wrote).
Rule 2: the table is limited and deterministic: if there are more questions than fit, a fixed sample is used.
"""

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gateway.artifact.json_narrowing import Json
from gateway.artifact.stops_bundle import ROOT, Kind, Stop, document
from gateway.authoring.mutation.alterations import Patch, Path, applied, damaged, replaced, replacing, worded
from gateway.authoring.mutation.questions import MOMENT, questions
from gateway.policy.rules.policy_data import derived

BASE: Final = 240
"""The number of questions with the unchanged data."""
ALTERED: Final = 480
"""The number of questions with one altered place, with the unchanged data."""
VARIED: Final = 12
"""The number of questions per environment whose places are altered."""
POLICIES: Final = 180
EACH: Final = 6
ODD: Final = 2
"""The numbers of questions for each altered policy: in total, and with one altered place."""
STOPS: Final = 12
"""The number of policies per environment with a stop."""
T = TypeVar("T")
_SEALED: Final = ("environment", "required", "enforcement", "catalog", "agents", "rules", "own")


class MutationEnvironment(Struct, frozen=True):
    """The data of one environment, and the questions of its scenarios."""

    name: str
    data: Json
    asked: Sequence[Json] = ()


class PatchedPolicy(Struct, frozen=True):
    """The data of a base (by number) with a patch."""

    base: int
    patch: Patch


Pair = tuple[int, int]
"""The number of a policy, and the number of a question for it."""


class QuestionMatrix(Struct, frozen=True):
    """The bases, policies and questions by number, and the pairs of policies and questions."""

    bases: tuple[MutationEnvironment, ...]
    policies: tuple[PatchedPolicy, ...]
    questions: tuple[Json, ...]
    pairs: tuple[Pair, ...]


def table(bases: Sequence[MutationEnvironment], seed: int) -> QuestionMatrix:
    """Return the table for these environments, each with an equal share."""
    policies: list[PatchedPolicy] = []
    asked: list[Json] = []
    pairs: list[Pair] = []
    known = [MutationEnvironment(base.name, {**base.data, **document(())}, base.asked) for base in bases]
    for number, base in enumerate(known):
        chance = random.Random(seed)  # noqa: S311 - a fixed sample, no secret
        plain = [*base.asked, *_some(questions(base.data), BASE // len(bases), chance)]
        changed = [each for question in _some(plain, VARIED, chance) for each in _altered(question)]
        first = len(asked)
        asked += [*plain, *_some(changed, ALTERED // len(bases), chance)]
        pairs += [(len(policies), question) for question in range(first, len(asked))]
        policies.append(PatchedPolicy(number, ()))
        for patch in _policies(base.data, POLICIES // len(bases), chance):
            under = [
                *_some(range(first, first + len(plain)), EACH - 2, chance),
                *_some(range(first, len(asked)), 2, chance),
            ]
            pairs += [(len(policies), question) for question in under]
            policies.append(PatchedPolicy(number, patch))
    return QuestionMatrix(tuple(known), tuple(policies), tuple(asked), tuple(pairs))


def _some(every: Iterable[T], most: int, chance: random.Random) -> list[T]:
    known = list(every)
    return known if len(known) <= most else chance.sample(known, most)


def _mixed(words: Iterable[tuple[Path, Any]], chance: random.Random) -> list[tuple[Path, Any]]:
    """Return the words alternating by their key, so that those of a rare key are among the first."""
    by_key: dict[str, list[tuple[Path, Any]]] = {}
    for path, word in words:
        by_key.setdefault(str(path[-1]), []).append((path, word))
    shuffled = [chance.sample(each, len(each)) for each in by_key.values()]
    return [each for turn in itertools.zip_longest(*shuffled) for each in turn if each is not None]


def _altered(question: Json) -> list[Json]:
    meant = [replaced(question, path, word) for path, word in worded(question)]
    broken = [applied(question, patch) for patch in damaged(question)]
    return [*meant, *broken]


def _policies(data: Json, most: int, chance: random.Random) -> list[Patch]:
    """Return policies with one or two changed meanings, damaged ones, and ones with stops."""
    parts = {key: data[key] for key in _SEALED if key in data}
    words = _mixed(worded(parts), chance)
    first = words[: most // 2]
    pairs = [dict(chance.sample(first, 2)) for _ in range(most)] if len(first) > 1 else []
    once = [sealed for path, word in first if (sealed := _sealed(data, {path: word})) is not None]
    twice = [sealed for pair in pairs if (sealed := _sealed(data, pair)) is not None]
    broken = list(damaged({key: data[key] for key in (*_SEALED, "index", ROOT) if key in data}))
    stopped = _some(_stops(data), STOPS, chance)
    return [*once, *_some(twice, most // 4, chance), *_some(broken, most // 4, chance), *stopped]


def _stops(data: Json) -> list[Patch]:
    """Return policies with a stop, by one selector or by two."""
    targets = data["catalog"]["targets"].items()
    names: list[tuple[Kind, str]] = [
        *(("agent", name) for name in data["agents"]),
        *(("server", name) for name in data["catalog"]["servers"]),
        *(("target", f"{server}/{name}") for server, listed in targets for name in listed.get("tools", {})),
        *(("principal", name) for kinds in data["index"]["identities"].values() for name in kinds.get("subject", {})),
    ]
    kinds: dict[Kind, set[str]] = {
        "kind": {str(agent.get("kind", "")) for agent in data["agents"].values()},
        "label": {label for agent in data["agents"].values() for label in agent.get("labels", ())},
        "tag": {tag for server in data["catalog"]["servers"].values() for tag in server.get("tags", ())},
        "action": {"read", "write", "delete"},
    }
    for kind, found in kinds.items():
        names.extend((kind, name) for name in sorted(found) if name)
    stops = [_stop(kind, name) for kind, name in names]
    stops += [replace(stop, also={"action": "read"}) for stop in stops if stop.kind != "action"]
    return [replacing((ROOT,), document([stop])[ROOT]) for stop in stops]


def _stop(kind: Kind, name: str) -> Stop:
    until = (MOMENT + 3600) * 1_000_000_000
    return Stop(id="s", kind=kind, name=name, until_unix_ns=until, because="x", by="x", at="2026-11-20T13:00:00Z")


def _sealed(data: Json, words: Mapping[Path, Any]) -> Patch | None:
    """Return the patch to other meanings with a new index for them, or None if an index cannot be built."""
    patch = [operation for path, word in words.items() for operation in replacing(path, word)]
    try:
        altered = applied(data, tuple(patch))
        index = altered["index"] | derived(altered)
    except (KeyError, TypeError, AttributeError, IndexError):
        return None
    return (*patch, *replacing(("index",), index))
