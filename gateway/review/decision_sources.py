"""Sources of recorded decisions: a journal's directory, files of records, an exported corpus.

Rule 1: records are read one by one; memory does not grow with a journal.
Rule 2: an unreadable file stops the reading with an error, because a replay of some of the named files proves nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.journal.encryption import HEADER, MOST_BYTES, KeyFault, decrypted
from gateway.journal.reader import read
from gateway.journal.record_expander import DESCRIBED_NS, Expander, is_description
from gateway.journal.segment_lines import Read, raw_lines, record_of
from gateway.journal.segment_names import segments
from gateway.review.corpus import CorpusError, CorpusHeader, unpacked
from gateway.review.hub_revisions import environment_of
from gateway.review.recorded_decision import Left, RecordedDecision, row_of

_DECIDED: Final = b'"kind":"decided"'
_GZIP: Final = b"\x1f\x8b"


class SourceError(Exception):
    """A named source cannot be read; the message says why and what to do."""


def rows(paths: Sequence[Path], *, since_ns: int = 0, keys: Sequence[Any] = ()) -> Iterator[RecordedDecision | Left]:
    """Yield the decisions in all paths, in order; raises SourceError."""
    for path in paths:
        if path.is_dir():
            yield from _journal(path, since_ns)
        else:
            yield from _file(path, since_ns, keys)


def environments(paths: Sequence[Path], *, since_ns: int = 0, keys: Sequence[Any] = ()) -> set[str]:
    """Return the environments whose policy made the decisions in all paths; raises SourceError."""
    found = {item.revision for item in rows(paths, since_ns=since_ns, keys=keys) if isinstance(item, RecordedDecision)}
    return {environment_of(revision) for revision in found} - {""}


def count(paths: Sequence[Path], *, since_ns: int = 0) -> int | None:
    """Return the number of decisions in these journals, or None if a path is not a journal and must be read first."""
    if not all(path.is_dir() for path in paths):
        return None
    return sum(1 for path in paths for _ in _counted(path, since_ns))


def _counted(path: Path, since_ns: int) -> Iterator[None]:
    for name, segment in segments(path):
        if name.begins >= since_ns or not since_ns:
            yield from (None for _, line in raw_lines(segment) if _DECIDED in line)


def _journal(path: Path, since_ns: int) -> Iterator[RecordedDecision | Left]:
    if not segments(path):
        raise SourceError(
            f"{path} does not contain a journal: name a journal's directory, its files, or an exported corpus."
        )
    earlier = max(0, since_ns - DESCRIBED_NS)
    for record in Expander().expanded(read(path, since_ns=earlier, wanted=_is_wanted)):
        if record["at"] >= since_ns:
            yield _read(record)


def _is_wanted(line: bytes) -> bool:
    return _DECIDED in line or is_description(line)


def _read(record: Read) -> RecordedDecision | Left:
    return row_of(record) if record["kind"] == "decided" else Left("unreadable")


def _file(path: Path, since_ns: int, keys: Sequence[Any]) -> Iterator[RecordedDecision | Left]:
    try:
        with path.open("rb") as file:
            beginning = file.read(len(HEADER))
        opened: Callable[[], Iterator[RecordedDecision | Left]] = lambda: _records(path, since_ns)  # noqa: E731
        if beginning == HEADER or beginning.startswith(_GZIP):
            if since_ns:
                raise SourceError(f"{path} is a corpus: choose its start with `journal export --since` instead.")
            opened = lambda: _corpus(path, list(keys))  # noqa: E731
        yield from opened()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def _records(path: Path, since_ns: int) -> Iterator[RecordedDecision | Left]:
    records = (record_of(line, path, offset) for offset, line in raw_lines(path) if _is_wanted(line))
    for record in Expander().expanded(records):
        if record.get("at", since_ns) >= since_ns:
            yield _read(record)


def _corpus(path: Path, keys: list[Any]) -> Iterator[RecordedDecision | Left]:
    if path.stat().st_size > MOST_BYTES:
        raise SourceError(f"{path} is larger than {MOST_BYTES} bytes: export fewer questions (--max).")
    content = path.read_bytes()
    if content.startswith(HEADER):
        if not keys:
            raise SourceError(f"{path} is encrypted: give the private key with --key-file.")
        opened = decrypted(content, keys)
        if isinstance(opened, KeyFault):
            raise SourceError(f"{path} cannot be decrypted: {opened.why}.")
        content = opened
    try:
        yield from (item for item in unpacked(content) if not isinstance(item, CorpusHeader))
    except CorpusError as error:
        raise SourceError(f"{path} is not a corpus: {error}.") from error
