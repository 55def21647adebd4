"""The official conformance suite, directly and through the gateway: zero difference (`make conformance` shows both)."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.conformance.suite import Check, Run, columns, differences, run, scored
from tests.running import Gateway, catalog, running
from tests.servers.everything import everything, targets

pytestmark = pytest.mark.environment("node")

PASSED: Final = {"2025-11-25": 70, "2026-07-28": 120}
"""How many scored checks there are for a revision; fewer would mean that the suite did not look."""


@pytest.fixture(scope="module")
def direct() -> Generator[str]:
    """A server without a gateway before it."""
    with everything() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gateway]:
    """A gateway that allows everything, before a server of its own."""
    with everything() as url:
        root = tmp_path_factory.mktemp("gateway")
        async with running(root, servers={"everything": catalog("everything", url, **targets())}) as started:
            yield started


STRICTER: Final = {
    "tasks-dispatch-and-envelope: sep-2663-tasks-get-invalid-task-id-32602": "The server has no tasks and answers 404; "
    "the gateway refuses an id that it did not give to this caller, as the specification wants.",
}
"""Checks that a server fails and the gateway passes for it; none of them is scored."""


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("requirements", PASSED)
async def test_the_gateway_changes_no_check_of_the_official_suite(
    requirements: str, direct: str, gateway: Gateway, tmp_path: Path
) -> None:
    before, after = await asyncio.gather(
        run(direct, requirements, tmp_path / "direct"),
        run(gateway.url("everything"), requirements, tmp_path / "gateway"),
    )
    print(f"\n{columns(requirements, scored(requirements), before, after)}")  # noqa: T201 - the columns are what `make conformance` is for
    _conforms(before, requirements)
    assert [found for found in differences(before, after) if not _is_stricter(found)] == []
    _conforms(after, requirements)


def _conforms(made: Run, requirements: str) -> None:
    wanted = scored(requirements)
    assert wanted <= made.scenarios, f"not run: {sorted(wanted - made.scenarios)}: {made.said[-4000:]}"
    assert [(check, made.complaints[check]) for check in made.failed(wanted)] == []
    assert made.passed(wanted) == PASSED[requirements]
    assert made.code == 0, made.said[-4000:]


def _is_stricter(difference: str) -> bool:
    """Return whether a check that fails directly passes through the gateway, and is named here with its reason."""
    return any(
        difference.startswith(f"{check} ") and ": FAILURE directly, SUCCESS through" in difference for check in STRICTER
    )


def _made(statuses: dict[str, str]) -> Run:
    checks = {Check("scenario", name, name, 1): status for name, status in statuses.items()}
    return Run(checks, {}, 0, "")


def test_a_check_that_changes_is_a_difference() -> None:
    found = differences(_made({"a": "SUCCESS", "b": "FAILURE"}), _made({"a": "FAILURE", "b": "SUCCESS"}))
    assert [line.split(":")[1].split()[0] for line in found] == ["a", "b"]


def test_a_check_that_is_missing_on_one_way_is_a_difference() -> None:
    assert len(differences(_made({"a": "SUCCESS"}), _made({}))) == 1
    assert len(differences(_made({}), _made({"a": "SUCCESS"}))) == 1


def test_a_run_without_its_scored_scenarios_does_not_conform() -> None:
    with pytest.raises(AssertionError, match="not run"):
        _conforms(_made({"a": "SUCCESS"}), "2025-11-25")
