"""A save is published if it builds; otherwise it is reported and does not change anything."""

import asyncio
import os
import random
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace
from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

from gateway.follow.bundle_endpoint import BundleEndpoint, Offer
from gateway.policy import build
from gateway.policy.build import Builder, PolicySource
from gateway.policy.source_watcher import Event, Publisher, SavePublished, SaveRefused, SaveRestored
from gateway.policy.sources.environment import Environment
from tests.broken_saves import broken

Put = Callable[[str, str], Path]


class Watched:
    def __init__(self, builder: Builder, source: PolicySource) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.endpoint = BundleEndpoint("token")
        self.publisher = Publisher(builder, source, self.endpoint, self.events.put_nowait)

    async def next(self) -> Event:
        return await asyncio.wait_for(self.events.get(), 10)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self.publisher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def watched(builder: Builder, source: PolicySource) -> Watched:
    return Watched(builder, source)


async def test_a_save_is_published(watched: Watched, put: Put) -> None:
    async with watched.running():
        first = await watched.next()
        put("bundles/dev/environment.yaml", "name: dev\ndefault: allow\n")
        second = await watched.next()
    assert isinstance(first, SavePublished)
    assert isinstance(second, SavePublished)
    assert (first.seq, second.seq) == (1, 2)
    assert watched.publisher.current is not None
    assert watched.publisher.current.revision == second.revision
    assert watched.endpoint.offer == Offer(watched.publisher.current.etag, watched.publisher.current.content)


async def test_a_save_with_an_unknown_name_is_refused_in_a_deny_and_reported_in_an_allow(
    watched: Watched, put: Put
) -> None:
    rule = "rules:\n  - rule: more\n    effect: {}\n    what: {{tools: [raed_file]}}\n    reason: x\n    owner: o\n"
    said = "bundles/dev/rules/more.yaml:4: {}no tool is called `raed_file`. Did you mean `read_file`?"
    async with watched.running():
        first = await watched.next()
        put("bundles/dev/rules/more.yaml", rule.format("deny"))
        second = await watched.next()
        put("bundles/dev/rules/more.yaml", rule.format("allow"))
        third = await watched.next()
    assert isinstance(first, SavePublished)
    assert first.warnings == ()
    assert isinstance(second, SaveRefused)
    assert [str(problem) for problem in second.problems] == [said.format("")]
    assert second.in_force == first.revision
    assert isinstance(third, SavePublished)
    assert [warning.as_warning for warning in third.warnings] == [said.format("warning: ")]


async def test_a_broken_save_is_reported_and_the_last_revision_stays(watched: Watched, put: Put) -> None:
    async with watched.running():
        first = await watched.next()
        put("bundles/dev/rules/rules.yaml", "rules:\n  - rule: x\n    effect: perhaps\n")
        second = await watched.next()
    assert isinstance(first, SavePublished)
    assert isinstance(second, SaveRefused)
    assert [(each.file, each.line) for each in second.problems] == [("bundles/dev/rules/rules.yaml", 3)]
    assert second.in_force == first.revision
    assert watched.publisher.current is not None
    assert watched.publisher.current.revision == first.revision


async def test_a_fixed_save_is_reported_as_the_revision_in_force(watched: Watched, put: Put) -> None:
    async with watched.running():
        await watched.next()
        put("bundles/dev/environment.yaml", "name: [\n")
        await watched.next()
        put("bundles/dev/environment.yaml", "name: dev\n")
        mended = await watched.next()
    assert isinstance(mended, SaveRestored)


async def test_a_broken_start_is_reported_and_the_first_good_save_is_published(watched: Watched, put: Put) -> None:
    put("bundles/dev/environment.yaml", "name: [\n")
    async with watched.running():
        broken = await watched.next()
        put("bundles/dev/environment.yaml", "name: dev\n")
        good = await watched.next()
    assert isinstance(broken, SaveRefused)
    assert broken.in_force == ""
    assert isinstance(good, SavePublished)


async def test_a_save_without_a_change_of_content_is_not_published(watched: Watched, put: Put) -> None:
    async with watched.running():
        await watched.next()
        put("bundles/dev/environment.yaml", "# a comment\nname: dev\n")
        put("bundles/dev/rules/more.yaml", "rules:\n  - {rule: more, effect: deny, reason: x}\n")
        changed = await watched.next()
    assert isinstance(changed, SavePublished)
    assert changed.seq == 2


async def test_a_directory_that_appears_later_is_followed(watched: Watched, put: Put) -> None:
    async with watched.running():
        await watched.next()
        put("rego/mcp/requirements/later/later.rego", "package mcp.requirements.later\n\nmet := false\n")
        refused = await watched.next()
    assert isinstance(refused, SaveRefused)
    assert {each.file for each in refused.problems} == {"rego/mcp/requirements/later/later.rego"}


async def test_files_are_polled_if_the_system_does_not_send_events(
    watched: Watched, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool | None] = []

    async def without_events(*paths: Path, force_polling: bool | None, **options: Any) -> AsyncGenerator[Any]:
        asked.append(force_polling)
        if not force_polling:
            raise OSError(28, "no watches left")
        async for changes in awatch(*paths, force_polling=True, poll_delay_ms=10, **options):
            yield changes

    monkeypatch.setattr("gateway.policy.source_watcher.awatch", without_events)
    async with watched.running():
        await watched.next()
        put("bundles/dev/environment.yaml", "name: dev\ndefault: allow\n")
        second = await watched.next()
    assert isinstance(second, SavePublished)
    assert asked[:2] == [None, True]


async def test_a_failed_build_is_reported_and_the_next_save_is_built(
    watched: Watched, put: Put, policy: Path, tmp_path: Path
) -> None:
    async with watched.running():
        await watched.next()
        state = tmp_path / "state"
        kept = state.rename(tmp_path / "kept")
        state.write_text("a file where the directory was")
        put("bundles/dev/environment.yaml", "name: dev\ndefault: allow\n")
        refused = await watched.next()
        state.unlink()
        kept.rename(state)
        put("bundles/dev/environment.yaml", "name: dev\ndefault: allow\ntime_zone: Europe/Zurich\n")
        published = await watched.next()
    assert isinstance(refused, SaveRefused)
    assert "cannot provide a sequence number" in refused.problems[0].what
    assert isinstance(published, SavePublished)
    assert published.seq == 2


async def test_a_directory_that_is_replaced_is_watched_again(watched: Watched, put: Put, policy: Path) -> None:
    async with watched.running():
        await watched.next()
        (policy / "bundles/dev").rename(policy / "bundles/old")
        gone = await watched.next()
        (policy / "bundles/old").rename(policy / "bundles/dev")
        back = await watched.next()
        put("bundles/dev/environment.yaml", "name: dev\ndefault: allow\n")
        changed = await watched.next()
    assert isinstance(gone, SaveRefused)
    assert isinstance(back, SaveRestored)
    assert isinstance(changed, SavePublished)


def mail(name: str) -> str:
    return f"rules:\n  - {{rule: {name}, effect: deny, reason: x}}\n"


@pytest.mark.parametrize("link", ["rules/shared", "rules/deny.yaml", "rules"])
async def test_a_save_behind_a_link_is_published(watched: Watched, put: Put, policy: Path, link: str) -> None:
    put("shared/deny.yaml", mail("first"))
    place = policy / "bundles/dev" / link
    if place.is_dir():
        shutil.rmtree(place)
    place.symlink_to(policy / ("shared/deny.yaml" if link.endswith(".yaml") else "shared"))
    async with watched.running():
        first = await watched.next()
        put("shared/deny.yaml", mail("second"))
        second = await watched.next()
    assert isinstance(first, SavePublished)
    assert isinstance(second, SavePublished)


async def test_a_directory_that_is_linked_later_is_followed(watched: Watched, put: Put, policy: Path) -> None:
    put("shared/deny.yaml", mail("first"))
    async with watched.running():
        await watched.next()
        (policy / "bundles/dev/rules/shared").symlink_to(policy / "shared")
        second = await watched.next()
        put("shared/deny.yaml", mail("second"))
        third = await watched.next()
    assert isinstance(second, SavePublished)
    assert isinstance(third, SavePublished)


async def test_a_volume_that_kubernetes_renews_is_published(watched: Watched, put: Put, policy: Path) -> None:
    rules = policy / "bundles/dev/rules"
    put("bundles/dev/rules/..2026_11_30_10_00_00.1/deny.yaml", mail("first"))
    (rules / "..data").symlink_to("..2026_11_30_10_00_00.1")
    (rules / "deny.yaml").symlink_to("..data/deny.yaml")
    async with watched.running():
        first = await watched.next()
        put("bundles/dev/rules/..2026_11_30_11_00_00.2/deny.yaml", mail("second"))
        (rules / "..data_tmp").symlink_to("..2026_11_30_11_00_00.2")
        (rules / "..data_tmp").rename(rules / "..data")
        shutil.rmtree(rules / "..2026_11_30_10_00_00.1")
        second = await watched.next()
    assert isinstance(first, SavePublished)
    assert isinstance(second, SavePublished)


async def test_a_save_that_keeps_size_and_time_is_published(watched: Watched, put: Put) -> None:
    place = put("bundles/dev/rules/deny.yaml", mail("first"))
    status = place.stat()
    async with watched.running():
        await watched.next()
        place.write_text(mail("other"))
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
        second = await watched.next()
    assert isinstance(second, SavePublished)


async def test_files_of_an_editor_are_reported_with_the_revision(
    builder: Builder, source: PolicySource, put: Put
) -> None:
    put("bundles/dev/rules/.rules.yaml.swp", "b0VIM")
    event = await Watched(builder, replace(source, editing=True)).publisher.publish()
    assert isinstance(event, SavePublished)
    assert [problem.file for problem in event.unread] == ["bundles/dev/rules/.rules.yaml.swp"]


def failing_on(bad: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a step of the build fail with an error that is unexpected while a document holds this text."""
    real = build.bundle_data

    def data(environment: Environment, described: Any) -> Any:
        for document, pointer, entry in environment.rules_placed():
            if bad in str(entry):
                raise error from KeyError(document.line(pointer))
        return real(environment, described)

    monkeypatch.setattr(build, "bundle_data", data)


ERRORS: Final = (
    UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed"),
    TypeError("odd \udfff"),
    RecursionError(),
    MemoryError(),
    KeyError("x"),
    AssertionError(),
    OSError(28, "No space left on device", "/state/x"),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_an_unexpected_error_is_a_refused_build_and_the_next_save_is_built(
    watched: Watched, put: Put, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failing_on("bad", error, monkeypatch)
    async with watched.running():
        first = await watched.next()
        put("bundles/dev/rules/more.yaml", f"# a comment\n{mail('bad')}")
        refused = await watched.next()
        put("bundles/dev/rules/more.yaml", mail("good"))
        good = await watched.next()
    assert isinstance(first, SavePublished)
    assert isinstance(refused, SaveRefused)
    assert refused.in_force == first.revision
    problem = refused.problems[0]
    at = ("/state/x", 0) if isinstance(error, OSError) else ("bundles/dev/rules/more.yaml", 3)
    assert (problem.file, problem.line) == at
    assert "cannot be built" in problem.what
    assert str(problem).encode()
    assert isinstance(good, SavePublished)


async def test_an_error_without_a_document_names_the_files_that_changed(
    watched: Watched, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched.running():
        await watched.next()

        def broken(_: Any) -> bytes:
            raise TypeError("Type is not JSON serializable")

        with monkeypatch.context() as patch:
            patch.setattr(build, "canonical", broken)
            put("bundles/dev/rules/more.yaml", mail("more"))
            refused = await watched.next()
    assert isinstance(refused, SaveRefused)
    assert [problem.file for problem in refused.problems] == ["bundles/dev/rules/more.yaml"]


def unlisted(_: PolicySource) -> None:
    raise IndexError("list index out of range")


async def test_an_error_of_the_watcher_is_reported_once_and_watching_continues(
    watched: Watched, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.policy.source_watcher.QUIET_MS", 10)
    async with watched.running():
        await watched.next()
        with monkeypatch.context() as patch:
            patch.setattr("gateway.policy.source_watcher._state", unlisted)
            put("bundles/dev/rules/more.yaml", mail("first"))
            refused = await watched.next()
        put("bundles/dev/rules/more.yaml", mail("second"))
        good = await watched.next()
        while not isinstance(good, SavePublished):
            good = await watched.next()
    assert isinstance(refused, SaveRefused)
    assert "IndexError" in refused.problems[0].what


async def test_a_report_that_fails_does_not_end_the_following(
    builder: Builder, source: PolicySource, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.policy.source_watcher.QUIET_MS", 10)
    events: asyncio.Queue[Event] = asyncio.Queue()
    failing = True

    def report(event: Event) -> None:
        if failing:
            raise OSError(28, "No space left on device")
        events.put_nowait(event)

    endpoint = BundleEndpoint("token")
    task = asyncio.create_task(Publisher(builder, source, endpoint, report).run())
    while endpoint.offer is None:
        await asyncio.sleep(0)  # noqa: TID251 - until the first build is offered
    first, failing = endpoint.offer, False
    put("bundles/dev/rules/more.yaml", mail("more"))
    while not isinstance(await asyncio.wait_for(events.get(), 10), SavePublished):
        pass
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert endpoint.offer != first


async def test_files_are_polled_if_the_system_cannot_watch_them(
    watched: Watched, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def without_anything(*_paths: Path, **_options: Any) -> AsyncGenerator[Any]:
        raise OSError(28, "no watches left")
        yield

    monkeypatch.setattr("gateway.policy.source_watcher.awatch", without_anything)
    monkeypatch.setattr("gateway.policy.source_watcher.QUIET_MS", 10)
    async with watched.running():
        await watched.next()
        put("bundles/dev/environment.yaml", "name: dev\ndefault: allow\n")
        assert isinstance(await watched.next(), SavePublished)


@pytest.mark.parametrize("seed", range(4))
async def test_after_any_broken_saves_the_next_good_one_is_followed(
    watched: Watched, put: Put, policy: Path, seed: int
) -> None:
    chosen = random.Random(seed)
    places = [policy / "bundles/dev" / each for each in ("rules/odd.yaml", "data/odd.yaml", "catalog/odd.yaml")]
    places += [policy / "bundles/dev/environment.yaml", policy / "rego/mcp/lib/own/odd/odd.rego"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
    async with watched.running():
        await watched.next()
        for step in range(6):
            for place in chosen.sample(places, chosen.randint(1, 3)):
                place.write_bytes(broken(chosen))
            (policy / "bundles/dev/rules/r.yml").write_text("never in order")
            refused = await watched.next()
            while not isinstance(refused, SaveRefused):
                refused = await watched.next()
            assert all(str(problem).encode() and problem.file for problem in refused.problems)
            for place in (*places, policy / "bundles/dev/rules/r.yml"):
                place.unlink(missing_ok=True)
            put("bundles/dev/environment.yaml", "name: dev\n")
            put("bundles/dev/rules/good.yaml", mail(f"good-{step}"))
            good = await watched.next()
            while not isinstance(good, SavePublished):
                good = await watched.next()
            assert watched.endpoint.offer is not None
            assert watched.publisher.current is not None
            assert watched.publisher.current.revision == good.revision
