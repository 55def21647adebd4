"""Artifact store: no partial writes, no lower sequence numbers, no lost moves."""

import errno
import json
import os
import threading
from pathlib import Path

import msgspec
import pytest

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.hub.artifact_store import ArtifactStore, instant
from gateway.hub.channel_pointer import Assignment, Pointer
from gateway.hub.promotion import MoveRefused, MoveRequest
from tests.hubs import bundle

NOW = 1_795_000_000_123_000_000


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return ephemeral_key()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(tmp_path / "hub")
    store.open()
    return store


def kept(store: ArtifactStore, key: SigningKey, seq: int, answer: object = "x", **metadata: str) -> Artifact:
    artifact = read_artifact(bundle(answer, key, seq, **metadata))
    assert isinstance(artifact, Artifact)
    store.keep(artifact)
    return artifact


def wanted(artifact: Artifact, expected: Artifact | None = None, channel: str = "production") -> MoveRequest:
    return MoveRequest(
        channel=channel,
        digest=artifact.digest,
        expected=None if expected is None else expected.digest,
        by="ci",
        because="a test",
        unix_ns=NOW,
    )


def code(outcome: Pointer | MoveRefused) -> str:
    assert isinstance(outcome, MoveRefused), outcome
    return outcome.code


def contents(store: ArtifactStore) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in store.directory.rglob("*") if path.is_file()}


def test_a_move_is_journaled_with_author_time_source_target_and_reason(store: ArtifactStore, key: SigningKey) -> None:
    first, second = kept(store, key, 1), kept(store, key, 2)
    store.move(wanted(first))
    pointer = store.move(wanted(second, first))
    assert isinstance(pointer, Pointer)
    assert (pointer.digest, pointer.seq, pointer.by, pointer.since) == (second.digest, 2, "ci", instant(NOW))
    assert ArtifactStore(store.directory).pointers() == {"production": pointer}
    newest, oldest = store.moves()
    assert (newest.before, newest.to) == (oldest.to, pointer.mark)
    line = json.loads((store.directory / "moves.jsonl").read_text().splitlines()[1])
    assert (line["from"]["revision"], line["to"]["revision"]) == (first.revision, second.revision)
    assert (line["by"], line["because"], line["time"]) == ("ci", "a test", "2026-11-18T11:06:40.123Z")


def test_a_move_with_a_wrong_expectation_is_refused(store: ArtifactStore, key: SigningKey) -> None:
    first, second, third = (kept(store, key, seq) for seq in (1, 2, 3))
    assert code(store.move(wanted(second, first))) == "pointer_moved"
    store.move(wanted(first))
    assert code(store.move(wanted(second))) == "pointer_moved"
    store.move(wanted(second, first))
    assert code(store.move(wanted(third, first))) == "pointer_moved"
    assert store.pointers()["production"].digest == second.digest


def test_of_two_publishers_at_once_one_gets_a_conflict(store: ArtifactStore, key: SigningKey) -> None:
    first = kept(store, key, 1)
    store.move(wanted(first))
    rivals = [kept(store, key, 2, "a"), kept(store, key, 2, "b")]
    outcomes: list[Pointer | MoveRefused] = []
    line = threading.Barrier(2)

    def publish(artifact: Artifact) -> None:
        line.wait()
        outcomes.append(ArtifactStore(store.directory).move(wanted(artifact, first)))

    threads = [threading.Thread(target=publish, args=(rival,)) for rival in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (moved,) = [outcome for outcome in outcomes if isinstance(outcome, Pointer)]
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, MoveRefused)]
    assert refused.code == "pointer_moved"
    assert store.pointers()["production"] == moved
    assert len(store.moves()) == 2


def test_sequence_numbers_grow_over_all_channels_of_an_environment(store: ArtifactStore, key: SigningKey) -> None:
    old, new = kept(store, key, 1), kept(store, key, 2)
    store.move(wanted(new, channel="canary"))
    assert code(store.move(wanted(old))) == "policy_regressed"
    assert code(store.move(wanted(kept(store, key, 2, "another")))) == "policy_regressed"
    assert isinstance(store.move(wanted(new)), Pointer), "a canary is promoted"
    assert isinstance(store.move(wanted(kept(store, key, 1, environment="other"), channel="other")), Pointer)


def test_a_channel_stays_with_its_environment(store: ArtifactStore, key: SigningKey) -> None:
    first = kept(store, key, 1)
    store.move(wanted(first))
    assert code(store.move(wanted(kept(store, key, 9, environment="other"), first))) == "bundle_of_other_environment"


def test_a_move_to_the_current_artifact_does_nothing(store: ArtifactStore, key: SigningKey) -> None:
    first = kept(store, key, 1)
    pointer = store.move(wanted(first))
    assert store.move(wanted(first)) == pointer
    assert len(store.moves()) == 1


@pytest.mark.parametrize("name", ["emergency", "", "..", "a/b", "Production", "a" * 64])
def test_a_channel_has_a_plain_name_of_its_own(store: ArtifactStore, key: SigningKey, name: str) -> None:
    assert code(store.move(wanted(kept(store, key, 1), channel=name))) == "channel_name_invalid"


def test_a_move_to_an_unknown_artifact_is_refused(store: ArtifactStore, key: SigningKey) -> None:
    artifact = read_artifact(bundle("x", key, 1))
    assert isinstance(artifact, Artifact)
    assert code(store.move(wanted(artifact))) == "artefact_unknown"


def test_an_artifact_that_was_changed_on_the_disk_is_an_error(store: ArtifactStore, key: SigningKey) -> None:
    artifact = kept(store, key, 1)
    (store.directory / "artefacts" / f"{artifact.digest}.tar.gz").write_bytes(b"tampered")
    with pytest.raises(OSError, match="does not match its digest"):
        store.content(artifact.digest)
    with pytest.raises(OSError, match="does not match its digest"):
        store.move(wanted(artifact))


def test_a_move_that_a_crash_cut_short_is_made_up_for(store: ArtifactStore, key: SigningKey) -> None:
    first, second = kept(store, key, 1), kept(store, key, 2)
    store.move(wanted(first))
    old = (store.directory / "channels" / "production.json").read_bytes()
    store.move(wanted(second, first))
    (store.directory / "channels" / "production.json").write_bytes(old)
    again = ArtifactStore(store.directory)
    again.open()
    assert again.pointers()["production"].digest == second.digest


def test_a_line_that_a_crash_cut_off_is_no_move_and_does_not_hurt_the_next(
    store: ArtifactStore, key: SigningKey
) -> None:
    first, second = kept(store, key, 1), kept(store, key, 2)
    store.move(wanted(first))
    with (store.directory / "moves.jsonl").open("ab") as journal:
        journal.write(b'{"time":"2026')
    again = ArtifactStore(store.directory)
    again.open()
    assert isinstance(again.move(wanted(second, first)), Pointer)
    assert [move.to.digest for move in again.moves()] == [second.digest, first.digest]


def test_a_damaged_journal_is_an_error_never_an_empty_one(store: ArtifactStore, key: SigningKey) -> None:
    store.move(wanted(kept(store, key, 1)))
    (store.directory / "moves.jsonl").write_text("nonsense\n")
    for attempt in (store.open, store.moves, lambda: store.move(wanted(kept(store, key, 2)))):
        with pytest.raises(OSError, match="line 1 is not a valid move"):
            attempt()


@pytest.mark.parametrize("broken", ["replace", "fsync", "pwrite"])
def test_a_failed_write_changes_nothing(
    store: ArtifactStore, key: SigningKey, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    first, second = kept(store, key, 1), kept(store, key, 2)
    store.move(wanted(first))
    store.assign([Assignment(channel="canary", instead_of="production", labels={"a": "b"})], "ci", NOW)
    before = contents(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os if broken != "replace" else Path, broken, full)
    with pytest.raises(OSError, match="No space"):
        store.move(wanted(second, first))
    with pytest.raises(OSError, match="No space"):
        store.assign([], "ci", NOW)
    monkeypatch.undo()
    assert contents(store) == before
    assert store.pointers()["production"].digest == first.digest
    assert isinstance(store.move(wanted(second, first)), Pointer)


def test_assignments_are_journaled_with_their_author(store: ArtifactStore) -> None:
    wanted = (Assignment(channel="canary", instead_of="production", labels={"ring": "first"}),)
    store.assign(wanted, "ci", NOW)
    assert ArtifactStore(store.directory).assignments() == wanted
    line = msgspec.json.decode((store.directory / "assignments.jsonl").read_bytes())
    assert (line["by"], line["assignments"][0]["labels"]) == ("ci", {"ring": "first"})
