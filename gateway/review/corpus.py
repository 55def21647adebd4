"""A corpus for CI: what a journal's decisions asked, each question once, with how often it was asked.

Rule 1: questions are alike where all but the moment, the gateway and the digest of the arguments is the same and the
same came of it for the same reason; the latest stands for all. Those of different hours of the week are kept apart,
for rules about hours, unless they are wanted together.
Rule 2: secrets were masked when the record was written, and are looked for again.
Rule 3: what was left out is counted in the corpus itself, so that whoever replays it is told.

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
    """What the corpus is: times RFC 3339, counts of recorded decisions."""

    made: str
    rows: int
    decisions: int
    """What the rows stand for."""
    dropped: int = 0
    """Decisions whose questions were the oldest beyond the most that were wanted."""
    left: dict[str, int] = {}
    schema: Literal["mcp.corpus/v1"] = SCHEMA


class CorpusError(Exception):
    """The bytes are no corpus; the text says why."""


class Corpus:
    """Takes rows in the journal's order, and keeps the latest of at most `most` kinds.

    With `any_hour` the same question is one kind whenever it was asked, else one kind in each hour of the week.
    """

    def __init__(self, most: int, *, any_hour: bool = False) -> None:
        self._most: Final = most
        self._any_hour: Final = any_hour
        self._rows: Final[OrderedDict[bytes, RecordedDecision]] = OrderedDict()
        self._left: Final[Counter[Why]] = Counter()
        self._dropped = 0

    def add(self, item: RecordedDecision | Left) -> None:
        """Take the next."""
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
        """Return what is kept, oldest first."""
        return list(self._rows.values())

    def left(self) -> list[Left]:
        """Return what was left out, by reason."""
        return [Left(why, count) for why, count in self._left.items()]

    def head(self, made: str) -> CorpusHeader:
        """Return what is to be said of it."""
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
    """Return the row without what looks like a secret today, whatever it looked like when it was recorded."""
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
    """Return which of the 168 hours of a week, in UTC, the question was asked in; the first is a Thursday's."""
    return question.get("context", {}).get("time", {}).get("unix_ns", 0) // _HOUR_NS % 168


def unpacked(content: bytes) -> Iterator[CorpusHeader | RecordedDecision | Left]:
    """Yield the head, what was left out, and the rows of a corpus; raises CorpusError."""
    lines = _lines(content)
    try:
        head = msgspec.json.decode(next(lines, b""), type=CorpusHeader)
        yield head
        yield from _left(head)
        for line in lines:
            yield msgspec.json.decode(line, type=RecordedDecision)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"a line of it is not one of a corpus: {error}") from error


def _lines(content: bytes) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while line := file.readline(LONGEST_LINE):
                if not line.endswith(b"\n"):
                    raise CorpusError("a line of it is cut off or too long")
                yield line
    except (OSError, EOFError) as error:
        raise CorpusError(f"it cannot be unpacked: {error}") from error


def _left(head: CorpusHeader) -> Iterable[Left]:
    return msgspec.convert([{"why": why, "count": count} for why, count in head.left.items()], list[Left])
