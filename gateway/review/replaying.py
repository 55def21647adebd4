"""Replay of recorded questions on a candidate, several at once, with a count of the outcomes.

Rule 1: only the rows under way are in memory; the next ones are read when some are answered.
Rule 2: several questions share an evaluation. If it fails or omits one of them, each is sent separately as a gateway
would send it, so that a failing question does not affect its neighbors.
Rule 3: a question is not sent if a field that the candidate reads was masked.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import orjson
from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.decision import Decision
from gateway.opa.client import DECISION
from gateway.opa.transport import Broken, Exchanged, Transport
from gateway.policy.rules.facts_for_replay import stated_facts
from gateway.review.masked_fields import Readings, withheld
from gateway.review.outcome_flips import Matrix
from gateway.review.recorded_decision import Left, RecordedDecision
from gateway.review.replayed_outcome import ReplayedOutcome, Unanswered, enacted, judged
from gateway.review.sidecar import TOGETHER

AT_ONCE: Final = 8
TOGETHER_AT_MOST: Final = 16
PATIENCE_S: Final = 30.0
"""Timeout of one answer: long, so that a busy machine does not look like a failing policy."""
_OK: Final = 200


class _Decisions(Struct):
    result: dict[str, Decision]


_READER: Final = msgspec.json.Decoder(_Decisions)


class Replay(Struct, frozen=True, kw_only=True):
    """A candidate's OPA, the fields that the candidate reads, and the collector of the answers."""

    exchange: Transport
    readings: Readings
    matrix: Matrix

    async def run(self, rows: Iterable[RecordedDecision | Left]) -> None:
        """Replay all rows; raises the errors of the row source."""
        source = iter(rows)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(self._work(source))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _work(self, source: Iterator[RecordedDecision | Left]) -> None:
        while rows := self._next(source):
            stated = [replace(row, input=stated_facts(row.input, self.readings.data)) for row in rows]
            for row, answer in zip(rows, await decisions(self.exchange, stated), strict=True):
                self.matrix.take(row, answer)

    def _next(self, source: Iterator[RecordedDecision | Left]) -> list[RecordedDecision]:
        """Return the next rows that can be replayed, and count the skipped ones before them."""
        found: list[RecordedDecision] = []
        for item in source:
            if isinstance(item, Left):
                self.matrix.leave(item)
            elif self.readings.prevented(item, withheld(item)):
                self.matrix.leave(Left("masked", item.count))
            else:
                found.append(item)
                if len(found) == TOGETHER_AT_MOST:
                    break
        return found


async def decisions(exchange: Transport, rows: Sequence[RecordedDecision]) -> list[ReplayedOutcome | Unanswered]:
    """Return the candidate's decisions, in order."""
    together = await _asked(exchange, TOGETHER, {"questions": [row.input for row in rows]})
    found = _read(together, len(rows))
    if found is not None:
        return [enacted(each, row.input) for each, row in zip(found, rows, strict=True)]
    return [await decision(exchange, row) for row in rows]


def _read(answer: Exchanged | Broken, count: int) -> list[Decision] | None:
    if isinstance(answer, Broken) or answer.status != _OK:
        return None
    try:
        found = _READER.decode(answer.body).result
        return [found[str(number)] for number in range(count)]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
        return None


async def decision(exchange: Transport, row: RecordedDecision) -> ReplayedOutcome | Unanswered:
    """Return the candidate's decision on one question, sent as a gateway sends it."""
    answer = await _asked(exchange, DECISION, row.input)
    return Unanswered(answer.detail) if isinstance(answer, Broken) else judged(answer, row.input)


async def _asked(exchange: Transport, path: str, question: object) -> Exchanged | Broken:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await exchange.exchange(path, orjson.dumps({"input": question}))
    except TimeoutError:
        return Broken(f"OPA did not answer within {PATIENCE_S:.0f} s")
