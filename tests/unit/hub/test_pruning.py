"""Pruning: needed artifacts stay, and a removed one is explained with how to rebuild it."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.artifact.manifest import moment_of
from gateway.cli import main
from gateway.hub import pruning
from gateway.hub.artifact_store import ArtifactStore, instant
from gateway.hub.pruning import Keep, prunable, pruned
from tests.hubs import private_pem
from tests.unit.hub.conftest import Inside

DAY_NS = 86_400 * 1_000_000_000
KEEP = Keep(days=30, last=2)


def age(inside: Inside, days: float) -> None:
    """Move all recorded times this many days into the past."""
    for path in (inside.ground.directory / "artefacts").iterdir():
        os.utime(path, ns=(0, path.stat().st_mtime_ns - int(days * DAY_NS)))
    journal = inside.ground.directory / "moves.jsonl"
    moves = [json.loads(line) for line in journal.read_text().splitlines()]
    for move in moves:
        move["time"] = instant((moment_of(move["time"]) or 0) - int(days * DAY_NS))
    journal.write_text("".join(json.dumps(move) + "\n" for move in moves))


async def published(inside: Inside, *answers: str, channel: str = "production", first: int = 1) -> list[str]:
    """Publish these bundles one after another; return their digests."""
    digests: list[str] = []
    for seq, answer in enumerate(answers, first):
        content = inside.bundle(answer, seq, commit=f"c{seq}", built="2026-01-01T00:00:00Z")
        before = digests[-1] if digests else None
        digests.append((await inside.publish(content, before, channel))["digest"])
    return digests


def there(inside: Inside) -> set[str]:
    return {path.name.removesuffix(".tar.gz") for path in (inside.ground.directory / "artefacts").iterdir()}


def store(inside: Inside) -> ArtifactStore:
    return ArtifactStore(inside.ground.directory)


async def test_old_artifacts_beyond_the_last_revisions_are_removed(inside: Inside) -> None:
    old = await published(inside, "a", "b", "c", "d")
    canary = await published(inside, "e", channel="canary", first=5)
    age(inside, 31)
    assert [each.digest for each in prunable(store(inside), KEEP, time.time_ns())] == old[:2]
    gone = list(pruned(store(inside), KEEP, "alice"))
    assert [(each.digest, each.commit, each.by) for each in gone] == [(old[0], "c1", "alice"), (old[1], "c2", "alice")]
    assert there(inside) == {*old[2:], *canary}
    assert list(pruned(store(inside), KEEP, "alice")) == []


async def test_an_artifact_in_force_within_the_retention_stays(inside: Inside) -> None:
    (first,) = await published(inside, "a")
    age(inside, 400)
    for seq, answer in enumerate("bcd", 2):
        in_force = (await inside.call("reader", "GET", "/v1/channels")).json()["channels"][0]["digest"]
        await inside.publish(inside.bundle(answer, seq), in_force)
    assert prunable(store(inside), KEEP, time.time_ns()) == []
    assert [each.digest for each in prunable(store(inside), KEEP, time.time_ns() + 31 * DAY_NS)][:1] == [first]


async def test_an_unused_artifact_is_removed_unless_it_was_uploaded_again(
    inside: Inside,
) -> None:
    content = inside.bundle("never", 1)
    digest = (await inside.upload(content)).json()["digest"]
    path = inside.ground.directory / "artefacts" / f"{digest}.tar.gz"
    os.utime(path, ns=(0, time.time_ns() - 31 * DAY_NS))
    assert [each.digest for each in prunable(store(inside), KEEP, time.time_ns())] == [digest]
    await inside.upload(content)
    assert prunable(store(inside), KEEP, time.time_ns()) == []


async def test_an_artifact_that_is_needed_in_the_meantime_stays(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = (await inside.upload(inside.bundle("late", 1))).json()["digest"]
    path = inside.ground.directory / "artefacts" / f"{digest}.tar.gz"
    os.utime(path, ns=(0, time.time_ns() - 31 * DAY_NS))
    going = pruning.described

    def slowly(*about: object) -> object:
        os.utime(path)  # somebody uploads it again
        return going(*about)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr("gateway.hub.pruning.described", slowly)
    assert list(pruned(store(inside), KEEP, "alice")) == []
    assert (await inside.point(digest, None)).status_code == 200


async def test_a_running_hub_explains_how_to_rebuild_a_pruned_artifact(inside: Inside) -> None:
    digests = await published(inside, "a", "b", "c")
    age(inside, 31)
    assert len(list(pruned(store(inside), KEEP, "alice"))) == 1
    gone = await inside.call("reader", "GET", f"/v1/artefacts/{digests[0]}")
    assert (gone.status_code, gone.json()["code"]) == (410, "artefact_pruned")
    assert "was pruned from here at 2" in gone.json()["error"]
    assert "Check out the commit c1, build it again (`mcp-admission bundle build test`)" in gone.json()["remedy"]
    back = await inside.point(digests[0], digests[-1])
    assert (back.status_code, back.json()["code"]) == (410, "artefact_pruned")
    assert (await inside.call("reader", "GET", f"/v1/artefacts/{'0' * 64}")).status_code == 404
    assert (await inside.poll()).headers["etag"] == f'"{digests[-1]}"'
    await inside.publish(inside.bundle("d", 4), digests[-1])
    again = Inside(inside.ground)
    async with again.client:
        assert (await again.poll()).status_code == 200


async def test_a_failed_removal_leaves_artifact_and_journal_unchanged(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = await published(inside, "a", "b", "c")
    age(inside, 31)

    unlink = Path.unlink

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if path.parent.name == "artefacts":
            raise PermissionError(1, "Operation not permitted")
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        with pytest.raises(OSError, match="not permitted"):
            list(pruned(store(inside), KEEP, "alice"))
    assert there(inside) == set(digests)
    assert not (inside.ground.directory / "pruned.jsonl").exists()


def prune(inside: Inside, *words: str) -> Result:
    return CliRunner().invoke(main, ["hub", "prune", "--keep-days", "30", "--keep-last", "2", *words])


async def test_the_command_lists_artifacts_and_removes_them_only_with_yes(inside: Inside) -> None:
    digests = await published(inside, "a", "b", "c")
    age(inside, 31)
    for place in (("--config", str(inside.ground.settings)), ("--dir", str(inside.ground.directory))):
        shown = prune(inside, *place)
        assert (shown.exit_code, digests[0] in shown.stdout) == (0, True), shown.output
        assert "1 artifacts would be removed; --yes removes them" in shown.stderr
    assert there(inside) == set(digests)
    done = prune(inside, "--dir", str(inside.ground.directory), "--yes")
    assert (done.exit_code, digests[0] in done.stdout, "1 artifacts removed" in done.stderr) == (0, True, True)
    assert there(inside) == set(digests[1:])


async def test_a_rollback_to_a_pruned_artifact_names_the_commit_to_build(inside: Inside, tmp_path: Path) -> None:
    await published(inside, "a", "b", "c")
    oldest = store(inside).moves()[-1].to.revision
    age(inside, 31)
    prune(inside, "--dir", str(inside.ground.directory), "--yes")
    key = tmp_path / "key.pem"
    key.write_bytes(private_pem(inside.ground.key))
    words = ("--to", str(inside.ground.directory), "--channel", "production", "--because", "x", "--revision", oldest)
    back = CliRunner().invoke(main, ["bundle", "rollback", *words, "--key-file", str(key)])
    assert back.exit_code == 1
    assert "Check out the commit c1, build it again" in back.stderr


@pytest.mark.parametrize("words", [[], ["--keep-last", "1"], ["--keep-days", "0"]])
async def test_it_wants_one_place_and_keeps_the_way_back(inside: Inside, words: list[str]) -> None:
    place = ["--dir", str(inside.ground.directory)] if words else []
    assert prune(inside, *place, *words).exit_code == 2


async def test_another_directory_is_not_taken_for_a_hubs(inside: Inside, tmp_path: Path) -> None:
    refused = prune(inside, "--dir", str(tmp_path))
    assert (refused.exit_code, "is not a hub directory" in refused.stderr) == (1, True)
