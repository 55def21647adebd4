"""The follower alone: the bundles it accepts, its reports, the order of its requests and its stored state."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.artifact.rejection import Rejected
from gateway.artifact.signing import ephemeral_key
from gateway.follow.bundle_polling import Answer, Fetched, ServiceUnreachable, Unchanged
from gateway.follow.follower import (
    LONGEST_PAUSE_S,
    BundleConfirmed,
    BundleNotKept,
    BundleRefused,
    Followed,
    Follower,
    News,
    Passed,
    Reached,
    Unreached,
)
from gateway.follow.last_good import LastGoodStore

KEY = ephemeral_key()
AWAY = ServiceUnreachable("no answer")
REJECTED = Rejected("bundle_unsigned", "no signature")


def content(seq: int) -> bytes:
    files = {"data.json": b"{}", "mcp/x.rego": b"package mcp.x\n"}
    return pack(files, BundleMetadata(environment="dev", seq=seq), key=KEY).content


class Hubs:
    """Services with the answers that a test sets, which record their requests."""

    def __init__(self, *urls: str) -> None:
        self.urls = urls or ("one",)
        self.answers: dict[str, Answer] = dict.fromkeys(self.urls, AWAY)
        self.asked: list[tuple[str, str]] = []
        self.held: list[bool] = []

    async def ask(self, url: str, etag: str, *, hold: bool) -> Answer:
        self.asked.append((url, etag))
        self.held.append(hold)
        return self.answers[url]


class Bed:
    """A follower whose services, clock and storage the test controls."""

    def __init__(self, directory: Path, *urls: str) -> None:
        self.hubs = Hubs(*urls)
        self.news: list[News] = []
        self.now = 1_000_000_000_000
        self.rejects: Callable[[Artifact], Rejected | None] = lambda _: None
        self.seqs: list[int] = []
        self.shelf = LastGoodStore(directory, "policy")
        self.follower = self.another()

    def another(self) -> Follower:
        return Follower(self.hubs, self._judge, self.shelf, self.news.append, wall_ns=lambda: self.now)

    def _judge(self, bytes_: bytes, seq: int) -> Artifact | Rejected:
        self.seqs.append(seq)
        read = read_artifact(bytes_)
        return read if isinstance(read, Rejected) else self.rejects(read) or read

    async def turn(self, answer: Answer | None = None, url: str = "one") -> tuple[float, list[News]]:
        """Let it ask once, and return its pause and its reports."""
        if answer is not None:
            self.hubs.answers[url] = answer
        told = len(self.news)
        return await self.follower.turn(), self.news[told:]

    @property
    def in_force(self) -> int:
        followed = [one.artifact.manifest.metadata.seq for one in self.news if isinstance(one, Followed)]
        return followed[-1] if followed else 0


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return Bed(tmp_path)


async def test_an_accepted_bundle_is_followed_confirmed_and_stored(bed: Bed) -> None:
    pause, news = await bed.turn(Fetched(content(2), '"a"'))
    assert pause == 0, "the service holds the next request"
    assert [type(one) for one in news] == [Followed, BundleConfirmed]
    assert bed.in_force == 2
    kept = bed.shelf.kept()
    assert kept is not None
    assert (kept.content, kept.confirmed_ns) == (content_of(bed), bed.now)


def content_of(bed: Bed) -> bytes:
    return next(one.artifact.content for one in reversed(bed.news) if isinstance(one, Followed))


async def test_a_request_sends_the_etag_of_the_bundle_in_force(bed: Bed) -> None:
    await bed.turn(Fetched(content(2), '"a"'))
    await bed.turn(Unchanged())
    assert [etag for _, etag in bed.hubs.asked] == ["", '"a"']
    assert bed.news[-1] == BundleConfirmed(bed.now)
    bed.now += 1
    await bed.turn(Unchanged())
    assert bed.news[-1] == BundleConfirmed(bed.now + 0)


async def test_a_rejected_bundle_changes_nothing_and_confirms_nothing(bed: Bed) -> None:
    await bed.turn(Fetched(content(2), '"a"'))
    bed.rejects = lambda artifact: REJECTED if artifact.manifest.metadata.seq == 3 else None
    pause, news = await bed.turn(Fetched(content(3), '"bad"'))
    assert news == [BundleRefused(REJECTED)]
    assert 0 < pause <= LONGEST_PAUSE_S
    assert bed.in_force == 2
    assert bed.seqs == [0, 2], "a bundle is compared with the one in force"


async def test_a_rejected_bundle_is_reported_once_and_verified_again_after_the_wait(bed: Bed) -> None:
    bed.rejects = lambda _: REJECTED
    await bed.turn(Fetched(content(3), '"bad"'))
    _, news = await bed.turn(Unchanged())
    assert news == [], "an unchanged rejected bundle does not confirm the one in force"
    assert bed.hubs.asked[-1] == ("one", '"bad"')
    await bed.turn()
    assert bed.hubs.asked[-1] == ("one", ""), "it is fetched again: the clock, a key or a number may have changed"
    bed.rejects = lambda _: None
    await bed.turn(Fetched(content(3), '"bad"'))
    assert bed.in_force == 3


async def test_the_same_rejection_is_reported_once(bed: Bed) -> None:
    bed.rejects = lambda _: REJECTED
    for _ in range(3):
        await bed.turn(Fetched(content(3), '"bad"'))
    assert bed.news == [BundleRefused(REJECTED)]
    await bed.turn(Fetched(content(4), '"worse"'))
    assert len(bed.news) == 2


async def test_an_oversized_bundle_is_reported_before_it_is_read(bed: Bed) -> None:
    large = Rejected("bundle_too_large", "64 MiB at most")
    _, news = await bed.turn(large)
    assert news == [BundleRefused(large)]


async def test_hubs_are_asked_in_turn_and_a_failed_round_is_reported_once(tmp_path: Path) -> None:
    bed = Bed(tmp_path, "one", "two")
    pauses = [(await bed.turn())[0] for _ in range(12)]
    assert [url for url, _ in bed.hubs.asked[:4]] == ["one", "two", "one", "two"]
    assert pauses[0] == 0, "the other service is asked at once"
    assert pauses[1] < LONGEST_PAUSE_S / 2 <= pauses[-1] <= LONGEST_PAUSE_S
    assert bed.news == [Passed("one: no answer"), Unreached("two: no answer")]
    await bed.turn(Fetched(content(2), '"a"'), "one")
    assert bed.news[2] == Reached("one")


async def test_the_hub_that_answers_is_kept_and_its_rejection_leads_to_the_next(tmp_path: Path) -> None:
    bed = Bed(tmp_path, "one", "two")
    await bed.turn(Fetched(content(2), '"a"'))
    await bed.turn(Unchanged())
    assert bed.hubs.asked[-1][0] == "one"
    bed.rejects = lambda artifact: REJECTED if artifact.manifest.metadata.seq == 3 else None
    await bed.turn(Fetched(content(3), '"bad"'))
    await bed.turn(Fetched(content(4), '"good"'), "two")
    assert bed.in_force == 4


async def test_another_hub_with_the_same_bundle_confirms_it(tmp_path: Path) -> None:
    bed = Bed(tmp_path, "one", "two")
    same = content(2)
    await bed.turn(Fetched(same, '"a"'))
    await bed.turn(AWAY)
    pause, news = await bed.turn(Fetched(same, "other-etag"), "two")
    assert news == [BundleConfirmed(bed.now)]
    assert pause == LONGEST_PAUSE_S
    await bed.turn(Unchanged(), "two")
    assert bed.hubs.asked[-1] == ("two", "other-etag")


async def test_a_service_that_does_not_hold_requests_is_asked_less_often(bed: Bed) -> None:
    await bed.turn(Fetched(content(2), '"a"'))
    pause, _ = await bed.turn(Unchanged())
    assert pause == LONGEST_PAUSE_S


async def test_a_start_uses_the_stored_bundle_and_its_old_confirmation(bed: Bed) -> None:
    await bed.turn(Fetched(content(2), '"a"'))
    before, bed.now = bed.now, bed.now + 10**15
    bed.news.clear()
    again = bed.another()
    running = asyncio.create_task(again.run())
    async with asyncio.timeout(30):
        while len(bed.news) < 3:
            await asyncio.sleep(0.01)  # noqa: TID251 - the pause between two checks
    running.cancel()
    first, second, third = bed.news[:3]
    assert isinstance(first, Followed)
    assert first.kept
    assert second == BundleConfirmed(before)
    assert isinstance(third, BundleConfirmed), "the service says that it has nothing newer"


async def test_the_stored_bundle_is_verified_like_any_other(bed: Bed) -> None:
    await bed.turn(Fetched(content(2), '"a"'))
    bed.news.clear()
    bed.rejects = lambda _: REJECTED
    bed.hubs.answers["one"] = AWAY
    running = asyncio.create_task(bed.another().run())
    async with asyncio.timeout(30):
        while len(bed.news) < 2:
            await asyncio.sleep(0.01)  # noqa: TID251 - the pause between two checks
    running.cancel()
    assert [type(one) for one in bed.news] == [BundleRefused, Unreached]


async def test_a_bundle_that_cannot_be_stored_is_followed_anyway(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bed = Bed(tmp_path / "file")
    _, news = await bed.turn(Fetched(content(2), '"a"'))
    assert [type(one) for one in news if not isinstance(one, BundleConfirmed)] == [
        Followed,
        BundleNotKept,
        BundleNotKept,
    ]
    assert bed.in_force == 2


async def test_a_service_that_did_not_answer_before_is_asked_to_answer_at_once(
    bed: Bed,
) -> None:
    await bed.turn(Fetched(content(2), '"a"'))
    await bed.turn(Unchanged())
    await bed.turn(AWAY)
    pause, news = await bed.turn(Unchanged())
    assert (pause, news) == (0, [Reached("one"), BundleConfirmed(bed.now)])
    await bed.turn(Unchanged())
    assert bed.hubs.held == [False, True, True, False, True]
