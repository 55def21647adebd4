"""Decisions are read from directories, files and corpora, and every unread record is counted."""

from pathlib import Path

import orjson
import pytest

from gateway.review.corpus import Corpus
from gateway.review.decision_sources import SourceError, count, rows
from gateway.review.recorded_decision import Left, RecordedDecision
from tests.recorded import write
from tests.recorded_lines import lines_of
from tests.unit.journal.conftest import a_completed, a_decided
from tests.unit.review.conftest import a_row


def a_segment(directory: Path) -> Path:
    """A journal of three records, of which two are decisions; both without a question."""
    return write(directory, [a_decided("c1"), a_decided("c2")])


def test_a_journal_gives_its_decisions_and_counts_them(tmp_path: Path) -> None:
    journal = a_segment(tmp_path / "journal")
    assert list(rows([journal])) == [Left("no_input"), Left("no_input")]
    assert count([journal]) == 2


def test_a_file_of_records_gives_its_decisions_and_counts_unreadable_lines(tmp_path: Path) -> None:
    whole = lines_of(a_decided("c1"), at=5)
    other = lines_of(a_completed("c1"), at=6, sequence=3)
    file = tmp_path / "records.jsonl"
    file.write_bytes(whole + other + b'{"kind":"decided", broken\n' + whole)
    found = list(rows([file]))
    assert found[0] == found[-1] == Left("no_input")
    damaged = whole.replace(b'"at":5', b'"at":"x"')
    file.write_bytes(damaged)
    assert list(rows([file])) == [Left("unreadable")]


def test_since_skips_older_records(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(b"".join(lines_of(a_decided(), at=at, sequence=2 * at) for at in (1, 5, 9)))
    assert len(list(rows([file], since_ns=5))) == 2


def test_a_corpus_that_is_not_encrypted_is_read_too(tmp_path: Path) -> None:
    corpus = Corpus(9)
    corpus.add(a_row())
    (tmp_path / "corpus.gz").write_bytes(corpus.packed("now"))
    (row,) = rows([tmp_path / "corpus.gz"])
    assert isinstance(row, RecordedDecision)
    assert count([tmp_path / "corpus.gz"]) is None
    with pytest.raises(SourceError, match="journal export --since"):
        list(rows([tmp_path / "corpus.gz"], since_ns=1))


@pytest.mark.parametrize("content", [b"age-encryption.org/v1\n-> X25519 x\n", b"\x1f\x8bnonsense"])
def test_an_unreadable_source_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "corpus").write_bytes(content)
    with pytest.raises(SourceError):
        list(rows([tmp_path / "corpus"]))


def test_a_directory_without_a_journal_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not contain a journal"):
        list(rows([tmp_path]))


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        list(rows([tmp_path / "gone"]))


def test_the_rows_of_a_corpus_are_plain_json(tmp_path: Path) -> None:
    corpus = Corpus(9)
    corpus.add(a_row())
    (tmp_path / "c").write_bytes(corpus.packed("now"))
    (row,) = rows([tmp_path / "c"])
    assert isinstance(row, RecordedDecision)
    assert orjson.dumps(row.input) == orjson.dumps(a_row().input)
