"""Results of the scenarios of a save are logged when they change."""

import asyncio
from typing import Any

from gateway.policy.scenarios_on_save import ScenarioRun
from gateway.policy.sources.problem import Problem
from gateway.supervisor.local_policy import PolicyNews

BROKEN = Problem("bundles/dev/scenarios/s.yaml", 2, "the scenario `bot reads` ends in deny, not allow.", "Correct it.")


class Notes:
    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def __call__(
        self, event: str, /, *, code: str = "", revision: str = "", detail: str = "", **fields: object
    ) -> None:
        del code, fields
        self.events.append((event, revision, detail))


async def failing() -> None:
    raise RuntimeError("unforeseen")


def test_failed_scenarios_cause_a_warning_and_their_correction_is_logged_once() -> None:
    notes = Notes()
    news = PolicyNews(notes)
    runs: list[dict[str, Any]] = [{}, {"failed": (BROKEN,)}, {}, {}, {"error": "OSError: full"}, {}]
    for number, more in enumerate(runs):
        news.scenarios(ScenarioRun(revision=f"r{number}", count=1, **more))
    assert notes.events == [
        ("scenarios_failed", "r1", BROKEN.as_warning),
        ("scenarios_passed", "r2", ""),
        ("scenarios_not_run", "r4", "OSError: full"),
        ("scenarios_passed", "r5", ""),
    ]
    assert news.problem == "", "the policy in force is what was saved"


async def test_an_error_that_ends_the_scenario_runs_is_logged() -> None:
    notes = Notes()
    news = PolicyNews(notes)
    running = asyncio.create_task(failing())
    await asyncio.wait([running])
    news.scenarios_ended(running)
    ((event, _, detail),) = notes.events
    assert event == "scenarios_not_run"
    assert "unforeseen" in detail
