"""Search for the smallest changes that flip a decision: proposed, evaluated by OPA, and shown only if OPA flips.

Rule 1: single changes come first. If none flips the decision, or only an enforcement mode does, pairs of the smallest
follow. Both are limited, and the result contains the number of attempts.
Rule 2: a change that OPA cannot evaluate flips nothing.
Rule 3: nothing is proposed if the unchanged policy gives another result: another index than the bundle's, or another
decision than the recorded one.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations, islice
from typing import Any, Final, TypeGuard

import orjson
from msgspec import Struct

from gateway.opa.transport import Broken, Transport
from gateway.policy.rules.facts_for_replay import stated_facts
from gateway.review.replayed_outcome import ReplayedOutcome, Unanswered, judged
from gateway.review.replaying import PATIENCE_S
from gateway.review.sidecar import IF, PATCHED
from gateway.review.whatif.arguments import argument_changes, schema_changes, time_changes
from gateway.review.whatif.own_data import own_changes
from gateway.review.whatif.patched_world import World, WorldChange, faithful, indexed, patch
from gateway.review.whatif.policy import MODE, loosening, tightening
from gateway.review.whatif.question_context import WhatIfCase

MOST_SINGLES: Final = 300
MOST_PAIRED: Final = 24
"""The number of the smallest changes that are combined in pairs."""
MOST_SHOWN: Final = 5
_AT_ONCE: Final = 8


class Flip(Struct, frozen=True):
    """Changes that together flip the decision, their size, and the new outcome."""

    changes: tuple[str, ...]
    size: int
    becomes: ReplayedOutcome


class Searched(Struct, frozen=True, kw_only=True):
    """The smallest flips and the number of attempts; `trusted` is false if nothing could be tried."""

    flips: tuple[Flip, ...]
    singles: int
    pairs: int
    trusted: bool = True


def proposals(scene: WhatIfCase) -> list[WorldChange]:
    """Return the single changes that may flip the decision, the smallest first."""
    policy = loosening(scene) if scene.refused else tightening(scene)
    question = chain(argument_changes(scene), schema_changes(scene), time_changes(scene))
    every = chain(question, own_changes(scene), policy)
    unique = {change.text: change for change in every}
    return sorted(islice(unique.values(), MOST_SINGLES), key=lambda change: change.size)


async def search(exchange: Transport, scene: WhatIfCase) -> Searched:
    """Return the smallest changes that flip the decision of a case."""
    asking = _Asking(exchange, scene)
    unchanged = await asking.becomes(()) if faithful(scene.world.data) else Unanswered("")
    if isinstance(unchanged, Unanswered) or unchanged.code or unchanged.outcome != scene.outcome:
        return Searched(flips=(), singles=0, pairs=0, trusted=False)
    singles = proposals(scene)
    found = await asking.flips((change,) for change in singles)
    if any(flip.size < MODE for flip in found):
        return Searched(flips=tuple(found[:MOST_SHOWN]), singles=len(singles), pairs=0)
    paired = [change for change in singles if change.size < MODE][:MOST_PAIRED]
    pairs = sorted(combinations(paired, 2), key=_size)
    found += await asking.flips(pairs)
    return Searched(flips=tuple(found[:MOST_SHOWN]), singles=len(singles), pairs=len(pairs))


class _Asking:
    def __init__(self, exchange: Transport, scene: WhatIfCase) -> None:
        self._exchange = exchange
        self._scene = scene

    async def flips(self, attempts: Iterable[Sequence[WorldChange]]) -> list[Flip]:
        """Return the attempts that flip the decision, in order."""
        tried = list(attempts)
        answers: list[ReplayedOutcome | Unanswered] = [Unanswered("")] * len(tried)
        left: Iterator[tuple[int, Sequence[WorldChange]]] = iter(enumerate(tried))

        async def work() -> None:
            for number, changes in left:
                answers[number] = await self.becomes(changes)

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())
        pairs = zip(tried, answers, strict=True)
        return [_flip(changes, after) for changes, after in pairs if self._flipped(after)]

    def _flipped(self, after: ReplayedOutcome | Unanswered) -> TypeGuard[ReplayedOutcome]:
        if isinstance(after, Unanswered) or after.code:
            return False
        return (after.outcome == "allow") is self._scene.refused

    async def becomes(self, changes: Sequence[WorldChange]) -> ReplayedOutcome | Unanswered:
        """Return OPA's decision after these changes."""
        before = after = self._scene.world
        for change in changes:
            after = change.apply(after)
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await self._exchange.exchange(IF, question(before, after))
        except TimeoutError:
            return Unanswered(f"OPA did not answer within {PATIENCE_S:.0f} s")
        return Unanswered(answer.detail) if isinstance(answer, Broken) else judged(answer, after.question)


def _flip(changes: Sequence[WorldChange], becomes: ReplayedOutcome) -> Flip:
    return Flip(tuple(change.text for change in changes), _size(changes), becomes)


def _size(changes: Sequence[WorldChange]) -> int:
    return sum(change.size for change in changes)


def question(before: World, after: World) -> bytes:
    """Return the query about a changed world, as sent to OPA."""
    data = indexed(before.data, after.data)
    patches: dict[str, Any] = {root: list(patch(before.data[root], data[root])) for root in PATCHED}
    return orjson.dumps({"input": {"question": stated_facts(after.question, data), "patches": patches}})
