"""Run the scenarios of each save while it is enforced, and report those that end otherwise.

Rule 1: a run delays nothing: the save is published before it starts, and one run at a time has a thread of its own.
Rule 2: a newer save supersedes a run: what the run found is dropped, and the newer save is run next.
Rule 3: a run that fails is reported, whatever the error is, and the next save is run.
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
from gateway.policy.scenarios import failed
from gateway.policy.sources.problem import Problem

DEADLINE_S: Final = 30.0
"""How long OPA may take for the scenarios of one save."""


class ScenarioRun(Struct, frozen=True, kw_only=True):
    """The scenarios of a revision were run: how many there are, and which of them end otherwise."""

    revision: str
    count: int
    failed: tuple[Problem, ...] = ()
    error: str = ""
    """Why the run itself failed; empty if it did not."""


class _Save(Struct, frozen=True):
    """A save that builds, and the revision by which it is in force."""

    content: Content
    revision: str


Run = Callable[[Content], Sequence[Problem]]


class ScenarioRuns:
    """Runs the scenarios of the newest save."""

    def __init__(self, opa: Path, report: Callable[[ScenarioRun], None], run: Run | None = None) -> None:
        self._opa = OpaCommand(opa, DEADLINE_S)
        self._report = report
        self._run = run or self._failed
        self._newest: _Save | None = None
        self._wanted = asyncio.Event()

    def take(self, content: Content, revision: str) -> None:
        """Run the scenarios of this save next; what an older run finds is dropped."""
        self._newest = _Save(content, revision)
        self._wanted.set()

    async def follow(self) -> None:
        """Run what is taken, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._newest is not None:
                await self._told(self._newest)

    async def _told(self, save: _Save) -> None:
        result = await asyncio.to_thread(self._result, save)
        if save is self._newest:
            with contextlib.suppress(Exception):  # a report that fails must not end the following
                self._report(result)

    def _result(self, save: _Save) -> ScenarioRun:
        count = 0
        try:
            count = len(list(save.content.environment.scenarios_placed()))
            found = self._run(save.content) if count else ()
            return ScenarioRun(revision=save.revision, count=count, failed=tuple(sorted(found)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and the policy is followed
            return ScenarioRun(revision=save.revision, count=count, error=f"{type(error).__name__}: {error}")

    def _failed(self, content: Content) -> Sequence[Problem]:
        return failed(content, self._opa, time.time())
