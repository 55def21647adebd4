"""Run the scenarios of each save while it is enforced, and report those with another outcome than wanted.

Rule 1: a run does not delay publishing: it starts after that. One run at a time is executed, in its own thread.
Rule 2: a newer save supersedes a run: the result of the run is dropped, and the newer save is run next.
Rule 3: a run that fails with any error is reported, and the next save is run.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.policy.build import Content
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import failed
from gateway.policy.sources.problem import Problem

DEADLINE_S: Final = 30.0
"""The deadline of OPA for the scenarios of one save."""


class ScenarioRun(Struct, frozen=True, kw_only=True):
    """The result of a run of a revision's scenarios: their count, and those with another outcome than wanted."""

    revision: str
    count: int
    failed: tuple[Problem, ...] = ()
    error: str = ""
    """The reason why the run itself failed; empty if it did not."""


class _Save(Struct, frozen=True):
    """A save that builds, and the revision that enforces it."""

    content: Content
    revision: str


Run = Callable[[Content], Sequence[Problem]]


class ScenarioRuns:
    """A runner of the scenarios of the newest save."""

    def __init__(self, opa: Path, report: Callable[[ScenarioRun], None], run: Run | None = None) -> None:
        self._opa = OpaCommand(opa, DEADLINE_S)
        self._report = report
        self._run = run or self._failed
        self._newest: _Save | None = None
        self._wanted = asyncio.Event()

    def take(self, content: Content, revision: str) -> None:
        """Run the scenarios of this save next; the result of an older run is dropped."""
        self._newest = _Save(content, revision)
        self._wanted.set()

    async def follow(self) -> None:
        """Run the scenarios of each taken save, until canceled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._newest is not None:
                await self._reported(self._newest)

    async def _reported(self, save: _Save) -> None:
        result = await asyncio.to_thread(self._result, save)
        if save is self._newest:
            with contextlib.suppress(Exception):  # a failing report must not end the loop
                self._report(result)

    def _result(self, save: _Save) -> ScenarioRun:
        count = 0
        try:
            count = len(list(save.content.environment.scenarios_placed()))
            found = self._run(save.content) if count else ()
            return ScenarioRun(revision=save.revision, count=count, failed=tuple(sorted(found)))
        except Exception as error:  # noqa: BLE001 - any error is reported, and the next save is run
            return ScenarioRun(revision=save.revision, count=count, error=f"{type(error).__name__}: {error}")

    def _failed(self, content: Content) -> Sequence[Problem]:
        return failed(content, self._opa, time.time())
