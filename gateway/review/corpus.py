"""Corpus for CI: the questions of a journal's decisions, each once, with the number of its decisions.

Rule 1: two questions are equal if they differ only in the moment, the gateway and the digest of the arguments, and led
to the same outcome for the same reason. The latest one represents all. Questions from different hours of the week are
kept apart, for rules about hours, unless the caller combines them.
Rule 2: secrets were masked when the record was written; this module searches for them again.
Rule 3: the corpus itself counts the omitted records, so that every replay can report them.

The file: JSON lines, the first one a `CorpusHeader`, then rows; compressed with gzip, encrypted with age (`crypt`).
"""

import gzip
import hashlib
import io
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
import orjson
from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.redaction import without_secrets
from gateway.review.recorded_decision import Left, RecordedDecision, Why

SCHEMA: Final = "mcp.corpus/v1"
LONGEST_LINE: Final = 4 * 1024 * 1024
_HOUR_NS: Final = 3_600_000_000_000


class CorpusHeader(Struct, frozen=True, kw_only=True, tag_field="kind", tag="corpus"):
    """The first line of a corpus: the time is RFC 3339, the counts are of recorded decisions."""

    made: str
    rows: int
    decisions: int
    """The decisions that the rows represent."""
    dropped: int = 0
    """Decisions that were dropped because there were more kinds of questions than the maximum; the oldest go first."""
    left: dict[str, int] = {}
    schema: Literal["mcp.corpus/v1"] = SCHEMA


class CorpusError(Exception):
    """The bytes are not a corpus; the message says why."""


class Corpus:
    """Collector of rows in the journal's order; keeps the latest of at most `most` kinds.

    With `any_hour` the hour does not matter; otherwise the same question is a separate kind in each hour of the week.
    """

    def __init__(self, most: int, *, any_hour: bool = False) -> None:
        self._most: Final = most
        self._any_hour: Final = any_hour
        self._rows: Final[OrderedDict[bytes, RecordedDecision]] = OrderedDict()
        self._left: Final[Counter[Why]] = Counter()
        self._dropped = 0

    def add(self, item: RecordedDecision | Left) -> None:
        """Add the next row or count the next omitted record."""
        if isinstance(item, Left):
            self._left[item.why] += item.count
            return
        row = masked(item)
        key = _identity(row, any_hour=self._any_hour)
        before = self._rows.pop(key, None)
        self._rows[key] = row if before is None else replace(row, count=before.count + row.count)
        if len(self._rows) > self._most:
            _, oldest = self._rows.popitem(last=False)
            self._dropped += oldest.count

    def rows(self) -> list[RecordedDecision]:
        """Return the collected rows, oldest first."""
        return list(self._rows.values())

    def left(self) -> list[Left]:
        """Return the counts of omitted records, by reason."""
        return [Left(why, count) for why, count in self._left.items()]

    def head(self, made: str) -> CorpusHeader:
        """Return the header of the corpus."""
        return CorpusHeader(
            made=made,
            rows=len(self._rows),
            decisions=sum(row.count for row in self._rows.values()),
            dropped=self._dropped,
            left={str(why): count for why, count in self._left.items()},
        )

    def packed(self, made: str) -> bytes:
        """Return the corpus as compressed lines."""
        lines = [msgspec.json.encode(self.head(made)), *(msgspec.json.encode(row) for row in self._rows.values())]
        return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)


def masked(row: RecordedDecision) -> RecordedDecision:
    """Return the row without texts that look like a secret by today's patterns, even if they were recorded."""
    found: list[str] = []
    arguments = without_secrets(row.input.get("arguments", {}), found)
    return replace(row, input={**row.input, "arguments": arguments}, whole=False) if found else row


def _identity(row: RecordedDecision, *, any_hour: bool) -> bytes:
    question: dict[str, Any] = {
        **row.input,
        "context": {**row.input.get("context", {}), "time": None, "gateway": None},
        "arguments_meta": {**row.input.get("arguments_meta", {}), "digest": None},
    }
    hour = None if any_hour else _hour_of_the_week(row.input)
    same = [question, hour, row.whole, row.outcome, row.rule, row.requirement]
    return hashlib.sha256(orjson.dumps(same, option=orjson.OPT_SORT_KEYS)).digest()


def _hour_of_the_week(question: Mapping[str, Any]) -> int:
    """Return the hour of the week of the question, from 0 to 167 in UTC; the first is on a Thursday."""
    return question.get("context", {}).get("time", {}).get("unix_ns", 0) // _HOUR_NS % 168


def unpacked(content: bytes) -> Iterator[CorpusHeader | RecordedDecision | Left]:
    """Yield the header, the counts of omitted records, and the rows of a corpus; raises CorpusError."""
    lines = _lines(content)
    try:
        head = msgspec.json.decode(next(lines, b""), type=CorpusHeader)
        yield head
        yield from _left(head)
        for line in lines:
            yield msgspec.json.decode(line, type=RecordedDecision)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"one of its lines is not a valid corpus line: {error}") from error


def _lines(content: bytes) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while line := file.readline(LONGEST_LINE):
                if not line.endswith(b"\n"):
                    raise CorpusError("one of its lines is truncated or too long")
                yield line
    except (OSError, EOFError) as error:
        raise CorpusError(f"it cannot be decompressed: {error}") from error


def _left(head: CorpusHeader) -> Iterable[Left]:
    return msgspec.convert([{"why": why, "count": count} for why, count in head.left.items()], list[Left])
