"""Recorded questions put to a candidate, many at once, and what came of it.

Rule 1: as many rows are held as questions are under way; the next is read when one is answered.
Rule 2: every question is one exchange: one that fails says nothing about its neighbors.
Rule 3: a question of which something that the candidate reads was withheld is not asked.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

import orjson
from msgspec import Struct

from gateway.opa.answer import read_decision
from gateway.opa.client import DECISION
from gateway.opa.exchange import Broken, Exchange
from gateway.review.judged import Judged, Unanswered, judged
from gateway.review.matrix import Matrix
from gateway.review.row import Left, Row
from gateway.review.withheld import Readings, withheld

AT_ONCE: Final = 24
PATIENCE_S: Final = 30.0
"""For one answer: this is no gateway, and a busy machine must not look like a policy that fails."""


class Replay(Struct, frozen=True, kw_only=True):
    """A candidate's OPA, what the candidate reads, and where the answers are counted."""

    exchange: Exchange
    readings: Readings
    matrix: Matrix

    async def run(self, rows: Iterable[Row | Left]) -> None:
        """Replay all rows; raises what reading them raises."""
        source = iter(rows)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._work(source))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _work(self, source: Iterator[Row | Left]) -> None:
        for item in source:
            if isinstance(item, Left):
                self.matrix.leave(item)
            elif self.readings.prevented(item, withheld(item)):
                self.matrix.leave(Left("masked", item.count))
            else:
                self.matrix.take(item, await decision(self.exchange, item))


async def decision(exchange: Exchange, row: Row) -> Judged | Unanswered:
    """Return what the candidate would have decided."""
    body = orjson.dumps({"input": row.input})
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await exchange.exchange(DECISION, body)
    except TimeoutError:
        return Unanswered(f"OPA gave no answer within {PATIENCE_S:.0f} s")
    return Unanswered(answer.detail) if isinstance(answer, Broken) else judged(read_decision(answer))
