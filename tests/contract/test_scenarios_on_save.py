"""A save that breaks a scenario is in force at once, and a moment later the scenario is shown."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio

from gateway.follow.bundle_endpoint import BundleEndpoint
from gateway.policy.build import Builder, PolicySource
from gateway.policy.scenarios_on_save import ScenarioRun, ScenarioRuns
from gateway.policy.source_watcher import Event, Publisher, SavePublished

Write = Callable[[str, str], Path]
DENY = "rules:\n  - {rule: nobody-reads, effect: deny, reason: r, what: {tools: [read_file]}}\n"
SCENARIOS = "bundles/dev/scenarios/demo.yaml"


class Watched:
    def __init__(self, opa: Path, verified: Path, repository: Path) -> None:
        self.told: asyncio.Queue[Event | ScenarioRun] = asyncio.Queue()
        self.runs = ScenarioRuns(opa, self.told.put_nowait)
        source, endpoint = PolicySource(repository, "dev"), BundleEndpoint("token")
        self.publisher = Publisher(Builder(verified, opa), source, endpoint, self.told.put_nowait, self.runs.take)

    async def next(self) -> Event | ScenarioRun:
        return await asyncio.wait_for(self.told.get(), 60)


@asynccontextmanager
async def following(watched: Watched) -> AsyncGenerator[Watched]:
    tasks = [asyncio.create_task(watched.publisher.run()), asyncio.create_task(watched.runs.follow())]
    try:
        yield watched
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest_asyncio.fixture
async def watched(opa: Path, verified: Path, repository: Path) -> AsyncGenerator[Watched]:
    async with following(Watched(opa, verified, repository)) as started:
        yield started


async def test_a_published_rule_that_breaks_a_scenario_is_shown_with_what_was_wanted_and_got(
    watched: Watched, put: Write
) -> None:
    first, held = await watched.next(), await watched.next()
    assert isinstance(first, SavePublished), first
    assert isinstance(held, ScenarioRun), held
    assert (held.revision, held.failed, held.error) == (first.revision, (), "")
    place = put("bundles/dev/rules/more.yaml", DENY)
    second, broken = await watched.next(), await watched.next()
    assert isinstance(second, SavePublished), "the save is in force before its scenarios are run"
    assert isinstance(broken, ScenarioRun), broken
    assert broken.revision == second.revision
    (problem,) = [each for each in broken.failed if "`a file is read`" in each.what]
    assert problem.where == f"{SCENARIOS}:2"
    assert "ends in deny, not allow" in problem.what
    assert "nobody-reads" in problem.what
    place.unlink()
    third, again = await watched.next(), await watched.next()
    assert isinstance(third, SavePublished), third
    assert isinstance(again, ScenarioRun), again
    assert again.failed == ()


async def test_a_save_of_scenarios_alone_publishes_nothing_and_runs_them(watched: Watched, repository: Path) -> None:
    first = await watched.next()
    assert isinstance(first, SavePublished), first
    assert isinstance(await watched.next(), ScenarioRun)
    place = repository / SCENARIOS
    place.write_text(place.read_text().replace("want: allow", "want: deny", 1))
    broken = await watched.next()
    assert isinstance(broken, ScenarioRun), broken
    assert broken.revision == first.revision
    assert [problem.where for problem in broken.failed] == [f"{SCENARIOS}:2"]
