"""Scenarios run in parallel with the watcher: a newer save supersedes a run, and errors do not end the runner."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.scenarios_on_save import Run, ScenarioRun, ScenarioRuns
from gateway.policy.sources.problem import Problem

NOW = 1_795_000_000.0
BROKEN = Problem("bundles/dev/scenarios/s.yaml", 2, "the scenario `bot reads` ends in deny, not allow.")
Put = Callable[[str, str], Path]


@pytest.fixture
def content(builder: Builder, source: PolicySource, put: Put) -> Content:
    put(
        "bundles/dev/scenarios/s.yaml",
        "scenarios:\n  - {scenario: bot reads, agent: bot, server: files, tool: read_file, want: allow}\n",
    )
    found = builder.content(source, NOW)
    assert isinstance(found, Content), found
    return found


@asynccontextmanager
async def following(opa: Path, run: Run) -> AsyncGenerator[tuple[ScenarioRuns, asyncio.Queue[ScenarioRun]]]:
    reported: asyncio.Queue[ScenarioRun] = asyncio.Queue()
    runs = ScenarioRuns(opa, reported.put_nowait, run)
    task = asyncio.create_task(runs.follow())
    try:
        yield runs, reported
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def next_of(reported: asyncio.Queue[ScenarioRun]) -> ScenarioRun:
    return await asyncio.wait_for(reported.get(), 10)


async def test_a_scenario_that_ends_otherwise_is_reported_with_the_revision(opa: Path, content: Content) -> None:
    async with following(opa, lambda _: [BROKEN]) as (runs, reported):
        runs.take(content, "dev@a.1")
        assert await next_of(reported) == ScenarioRun(revision="dev@a.1", count=1, failed=(BROKEN,))


async def test_a_newer_save_supersedes_a_run(opa: Path, content: Content) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: Content) -> Sequence[Problem]:
        begun.set()
        assert go_on.wait(10)
        return [BROKEN]

    async with following(opa, slow) as (runs, reported):
        runs.take(content, "dev@a.1")
        await asyncio.to_thread(begun.wait, 10)
        runs.take(content, "dev@b.2")
        runs.take(content, "dev@c.3")
        go_on.set()
        assert (await next_of(reported)).revision == "dev@c.3"
    assert reported.empty()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyError("x"), RecursionError("deep")])
async def test_a_run_that_fails_is_reported_and_the_next_one_is_made(
    opa: Path, content: Content, error: Exception
) -> None:
    results: list[Exception | None] = [error, None]

    def run(_: Content) -> Sequence[Problem]:
        if (failure := results.pop(0)) is not None:
            raise failure
        return []

    async with following(opa, run) as (runs, reported):
        runs.take(content, "dev@a.1")
        first = await next_of(reported)
        runs.take(content, "dev@b.2")
        second = await next_of(reported)
    assert type(error).__name__ in first.error
    assert second == ScenarioRun(revision="dev@b.2", count=1)


async def test_a_report_that_fails_does_not_end_the_running(opa: Path, content: Content) -> None:
    reported: asyncio.Queue[ScenarioRun] = asyncio.Queue()

    def report(run: ScenarioRun) -> None:
        reported.put_nowait(run)
        raise OSError(28, "No space left on device")

    runs = ScenarioRuns(opa, report, lambda _: [])
    task = asyncio.create_task(runs.follow())
    for revision in ("dev@a.1", "dev@b.2"):
        runs.take(content, revision)
        assert (await next_of(reported)).revision == revision
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
