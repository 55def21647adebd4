"""Real servers: what a client gets through the gateway is what it gets directly.

One test for each run (an entry, a variant, a mode of the client) imports the server into a catalog, holds the same
conversation directly, through a gateway that allows everything, and through one that refuses a tool; another one runs
`try`.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests import environment
from tests.running import ANYONE, running
from tests.zoo import comparison
from tests.zoo.commands import imported, tried, unchanged
from tests.zoo.conversation import Transcript, converse
from tests.zoo.entry import Run, runs
from tests.zoo.environments import NEEDS, InstallationError, installed
from tests.zoo.process import ServerProcess
from tests.zoo.results import Result, keep, version

ALL: Final = list(runs())


def _parameters(chosen: list[Run]) -> list[Any]:
    """Return the runs as parameters, with what each needs of this machine."""
    return [
        pytest.param(
            run,
            id=run.name,
            marks=[
                *(pytest.mark.environment(need) for need in (*NEEDS[run.entry.ecosystem], *run.entry.needs)),
                *([pytest.mark.fast] if run.entry.fast and not run.variant else []),
            ],
        )
        for run in chosen
    ]


def _rules(run: Run) -> dict[str, Any]:
    tool = run.entry.steps.refused.tool if run.entry.steps.refused else "none"
    owned = {"owner": "zoo@example.com"}
    return {
        "rules": [
            {"rule": "everything", "effect": "allow", "reason": "The zoo allows everything.", **owned},
            {
                "rule": "one-tool-never",
                "effect": "deny",
                "what": {"servers": ["refusing"], "tools": [tool]},
                "reason": comparison.REASON,
                **owned,
            },
        ]
    }


def _files(run: Run, catalog: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the environment: the imported server twice, and the strict answer to changed definitions."""
    names = ("allowed", "refusing") if run.entry.steps.refused else ("allowed",)
    rules = _rules(run) if run.entry.steps.refused else {"rules": _rules(run)["rules"][:1]}
    return {
        "environment.yaml": {"name": "test", "default": "deny"},
        "rules/open.yaml": rules,
        "agents/anyone.yaml": ANYONE,
        **{f"catalog/{name}.yaml": {**catalog, "server": name} for name in names},
    }


class _Visit:
    """One run, from the import to the last conversation."""

    def __init__(self, run: Run, directory: Path) -> None:
        self.run: Final = run
        self.server: Final = ServerProcess(run, installed(run.directory), directory)
        self.directory: Final = directory
        self.done = 0
        self.found: list[comparison.Difference] = []

    async def made(self) -> list[str]:
        """Return what is wrong."""
        path = self.directory / "zoo.yaml"
        await self._started()
        catalog = await asyncio.to_thread(imported, self.server.url, path)
        await asyncio.to_thread(unchanged, path)
        direct = await self._talk(self.server.url)
        files = _files(self.run, catalog)
        async with running(self.directory, servers={}, files=files) as gateway:
            self._compare(comparison.differences, direct, await self._talk(gateway.url("allowed")))
            if self.run.entry.steps.refused is not None:
                self._compare(self._refused, direct, await self._talk(gateway.url("refusing")))
        return comparison.unexplained(self.found, self.run.known)

    async def _talk(self, url: str) -> Transcript:
        await self._started()
        return await converse(url, self.run, self._started)

    async def _started(self) -> None:
        await asyncio.to_thread(self.server.start)

    def _refused(self, direct: Transcript, through: Transcript, volatile: tuple[str, ...]) -> Any:
        assert self.run.entry.steps.refused is not None
        return comparison.refused(direct, through, self.run.entry.steps.refused.tool, volatile)

    def _compare(self, compared: Callable[..., Any], direct: Transcript, through: Transcript) -> None:
        self.done += len(direct)
        self.found += compared(direct, through, self.run.entry.volatile)

    def result(self, problem: str) -> Result:
        """Return the row of the table."""
        entry = self.run.entry
        differing = {one.step for one in self.found}
        return Result(
            kind="server",
            name=self.run.name,
            title=" ".join(filter(None, (entry.title, self.run.variant, self.run.mode))),
            package=entry.package,
            version=version(self.run.directory, entry),
            done=self.done,
            equal=self.done - len(self.found),
            differences={step: reason for step, reason in self.run.known.items() if step in differing},
            problem=problem,
        )


@pytest.mark.parametrize("run", _parameters(ALL))
async def test_a_server_answers_through_the_gateway_as_it_does_directly(run: Run, tmp_path: Path) -> None:
    visit = _visit(run, tmp_path)
    problem = "the run did not end"
    try:
        wrong = await visit.made()
        problem = "\n".join(wrong)
        assert not wrong, f"{problem}\n{visit.server.log}"
    finally:
        visit.server.stop()
        keep(visit.result(problem))


@pytest.mark.parametrize("run", _parameters([run for run in ALL if run.mode == run.entry.modes[0]]))
async def test_a_server_can_be_tried(run: Run, tmp_path: Path) -> None:
    server = _visit(run, tmp_path).server
    try:
        await asyncio.to_thread(server.start)
        listed, reads = await tried(server.url, tmp_path)
        assert listed == reads
    finally:
        server.stop()


def _visit(run: Run, directory: Path) -> _Visit:
    try:
        return _Visit(run, directory)
    except InstallationError as error:
        environment.note(f"zoo entry {run.directory.name}", "it could not be installed")
        raise AssertionError(str(error)) from error
