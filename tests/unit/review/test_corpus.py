"""A corpus contains each question once, masks secrets, and is readable only by the holder of the key."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.encryption import KeyFault, Recipients, decrypted, encrypted, identities, new_key, recipients
from gateway.review.corpus import LONGEST_LINE, Corpus, CorpusError, CorpusHeader, unpacked
from gateway.review.recorded_decision import Left, RecordedDecision
from tests.unit.review.conftest import a_question, a_row


def at(unix_ns: int, **arguments: Any) -> dict[str, Any]:
    question = a_question(**arguments)
    question["context"] = {**question["context"], "time": {"unix_ns": unix_ns}, "gateway": {"id": f"g{unix_ns}"}}
    return question


HOUR = 3_600_000_000_000


def collected(*items: RecordedDecision | Left, most: int = 10, any_hour: bool = False) -> Corpus:
    corpus = Corpus(most, any_hour=any_hour)
    for item in items:
        corpus.add(item)
    return corpus


def test_the_same_question_at_another_time_counts_and_the_latest_stands_for_all() -> None:
    (row,) = collected(a_row(at(1, to="a"), call_id="c1"), a_row(at(2, to="a"), call_id="c2", count=4)).rows()
    assert (row.call_id, row.count, row.input["context"]["time"]) == ("c2", 5, {"unix_ns": 2})


def test_questions_of_different_hours_of_the_week_are_kept_apart() -> None:
    first, next_hour, next_week = a_row(at(1, to="a")), a_row(at(HOUR, to="a")), a_row(at(168 * HOUR + 2, to="a"))
    assert [row.count for row in collected(first, next_hour).rows()] == [1, 1]
    assert [row.count for row in collected(first, next_week).rows()] == [2]
    assert [row.count for row in collected(first, next_hour, any_hour=True).rows()] == [2]


@pytest.mark.parametrize(
    "other",
    [
        a_row(at(2, to="b")),
        a_row(at(2, to="a"), outcome="allow"),
        a_row(at(2, to="a"), rule="another"),
        a_row(at(2, to="a"), requirement="another"),
        a_row(at(2, to="a"), whole=False),
        a_row({**at(2, to="a"), "server": {"id": "files"}}),
    ],
)
def test_another_question_or_another_end_is_kept_apart(other: RecordedDecision) -> None:
    assert len(collected(a_row(at(1, to="a")), other).rows()) == 2


def test_at_most_so_many_are_kept_and_the_others_are_counted() -> None:
    corpus = collected(a_row(at(1, to="a"), count=3), a_row(at(1, to="b")), a_row(at(1, to="c")), most=2)
    assert [row.input["arguments"]["to"] for row in corpus.rows()] == ["b", "c"]
    assert corpus.head("now").dropped == 3


def test_a_secret_that_an_older_gateway_did_not_mask_is_masked_in_the_corpus() -> None:
    (row,) = collected(a_row(at(1, password="hunter2"))).rows()
    assert row.input["arguments"] == {"password": "[masked]"}
    assert not row.whole


def test_a_corpus_is_read_as_it_was_written() -> None:
    corpus = collected(a_row(at(1, to="a"), count=2), Left("masked", 3), a_row(at(1, to="b"), reason="é"))
    head, *items = unpacked(corpus.packed("2026-11-20T14:00:00Z"))
    assert isinstance(head, CorpusHeader)
    assert (head.rows, head.decisions, head.left) == (2, 3, {"masked": 3})
    assert items == [Left("masked", 3), *corpus.rows()]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plain",
        gzip.compress(b"{}\n"),
        gzip.compress(b'{"kind":"corpus","made":"","rows":1,"decisions":1}\n{"call_id":"c"}\n'),
        gzip.compress(b'{"kind":"corpus","made":"","rows":1,"decisions":1,"left":{"of_course":1}}\n'),
        gzip.compress(b'{"kind":"corpus","made":"","rows":1,"decisions":1}')[:-4],
        gzip.compress(b" " * (LONGEST_LINE + 1)),
        Corpus(1).packed("now")[:-9],
        gzip.compress(b'{"kind":"corpus","made":"","rows":1,"decisions":1,"schema":"mcp.corpus/v2"}\n'),
        collected(a_row(at(1, to="a"), count=0)).packed("now"),
    ],
    ids=["empty", "plain", "no-head", "no-row", "no-reason", "cut-line", "long-line", "cut-off", "schema", "nothing"],
)
def test_a_file_that_is_not_a_corpus_is_an_error(content: bytes) -> None:
    with pytest.raises(CorpusError):
        list(unpacked(content))


def key_file(tmp_path: Path) -> tuple[Path, Recipients]:
    pair = new_key()
    (tmp_path / "ci.key").write_text(f"# {pair.public}\n{pair.private}\n")
    found = recipients(pair.public)
    assert isinstance(found, Recipients)
    return tmp_path / "ci.key", found


def test_only_the_holder_of_the_key_reads_it(tmp_path: Path) -> None:
    mine, to = key_file(tmp_path)
    sealed = encrypted(b"corpus", to)
    keys = identities(mine)
    assert isinstance(keys, list)
    assert decrypted(sealed, keys) == b"corpus"
    (tmp_path / "other").mkdir()
    stranger = identities(key_file(tmp_path / "other")[0])
    assert isinstance(stranger, list)
    assert isinstance(decrypted(sealed, stranger), KeyFault)


@pytest.mark.parametrize("place", [0, 30, -1])
def test_a_changed_byte_is_noticed(tmp_path: Path, place: int) -> None:
    mine, to = key_file(tmp_path)
    sealed = bytearray(encrypted(b"corpus", to))
    sealed[place] ^= 1
    keys = identities(mine)
    assert isinstance(keys, list)
    assert isinstance(decrypted(bytes(sealed), keys), KeyFault)


def test_a_file_of_recipients_names_several(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# CI\n{new_key().public}\n\n{new_key().public}\n")
    found = recipients(str(tmp_path / "keys"))
    assert isinstance(found, Recipients)
    assert len(found.keys) == 2


def test_a_private_key_in_place_of_a_public_one_is_refused_and_not_shown(tmp_path: Path) -> None:
    private = new_key().private
    (tmp_path / "ci.key").write_text(private)
    for named in (str(tmp_path / "ci.key"), private):
        found = recipients(named)
        assert isinstance(found, KeyFault)
        assert "private key" in found.why
        assert private not in found.why


@pytest.mark.parametrize("text", ["age1nonsense", "ssh-ed25519 nonsense", "/no/such/file", "/dev/null"])
def test_an_invalid_public_key_is_reported(text: str) -> None:
    assert isinstance(recipients(text), KeyFault)


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "# only words\n"])
def test_an_invalid_private_key_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    assert isinstance(identities(tmp_path / "key"), KeyFault)
