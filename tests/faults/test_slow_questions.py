"""A caller whose questions take OPA too long is refused, and nobody else notices."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.identity.tokens import digest, token
from gateway.opa.limiter import PLACES
from tests.faults.behind import Behind, standing
from tests.faults.wire import Got

DEADLINE_MS: Final = 2_000
"""Long, so that a busy machine does not make ordinary questions slow too."""
SLOW: Final = 6
"""Questions at once: more than the failures in a row that would open the breaker."""
FLOOD: Final = PLACES
"""Questions at once that would take every place."""
OTHERS: Final = 30
"""Calls of another caller while it goes on."""
REQUIREMENT: Final = """\
# METADATA
# title: No product is found
# description: What is called x has no factors; where it is large, that takes longer than anybody waits.
# custom: {severity: low, remedy: Send a small number.}
package mcp.requirements.no_product_is_found

met if true

met_by_arguments if not "x" in object.keys(input.arguments)

met_by_arguments if {
	some one in numbers.range(1, input.arguments.x)
	some other in numbers.range(1, input.arguments.x)
	one * other == 0 - 1
}

because contains "x is large" if false
"""
TEST: Final = """\
package mcp.requirements.no_product_is_found_test

import data.mcp.requirements.no_product_is_found as requirement

test_met if requirement.met

test_nothing if requirement.met_by_arguments with input as {"arguments": {}}

test_numbers if not requirement.met_by_arguments with input as {"arguments": {"x": 2}}
"""


def written(root: Path) -> None:
    """Write the requirement whose cost is up to the caller."""
    directory = root / "policy" / "rego" / "mcp" / "requirements" / "no_product_is_found"
    directory.mkdir(parents=True)
    (directory / "no_product_is_found.rego").write_text(REQUIREMENT, encoding="utf-8")
    (directory / "no_product_is_found_test.rego").write_text(TEST, encoding="utf-8")


async def test_a_caller_with_slow_questions_denies_nobody_else(tmp_path: Path) -> None:
    written(tmp_path)
    async with standing(tmp_path, settings={"opa": {"deadline_ms": DEADLINE_MS}}) as behind:
        await behind.line.called("echo")
        behind.server.begin()
        slow = [asyncio.create_task(behind.line.called("delete", {"x": 20_000})) for _ in range(SLOW)]
        others, after = 0, 20
        while after:
            after -= all(task.done() for task in slow)
            got = await behind.line.called("echo", {"text": "fine"})
            assert not got.message["result"].get("isError"), got
            others += 1
        assert {(await task).reason for task in slow} == {"policy_unavailable"}
        assert [effect.json["params"]["name"] for effect in behind.server.effects] == ["echo"] * others


def credential(secret: bytes) -> tuple[str, str]:
    """Return the header with the service token of a secret."""
    return ("Authorization", f"Bearer {token(secret)}")


def agent(name: str, secret: bytes) -> dict[str, Any]:
    """Return the file of an agent with this token."""
    held = {"sha256": digest(token(secret)), "holder": "a@example.com", "expires": "2099-01-01T00:00:00Z"}
    return {"agent": name, "owner": "a@example.com", "purpose": "tests", "kind": "test", "tokens": [held]}


FLOODING: Final = b"f" * 32
ORDINARY: Final = b"o" * 32
AGENTS: Final = {f"agents/{name}.yaml": agent(name, name[:1].encode() * 32) for name in ("flooding", "ordinary")}


def of_one_agent(number: int) -> tuple[str, str]:
    """Return the same credential for every question of a flood."""
    del number
    return credential(FLOODING)


def made_up(number: int) -> tuple[str, str]:
    """Return another credential for every question of a flood, of a token that has the form of one."""
    return credential(number.to_bytes(32))


class Flood:
    """So many slow questions under way all the time, until it is stopped."""

    def __init__(self, behind: Behind, credential_of: Callable[[int], tuple[str, str]]) -> None:
        self._behind = behind
        self._credential_of = credential_of
        self._numbers = iter(range(1_000_000))
        self._stopped = False
        self.answers: list[Got] = []

    async def run(self) -> None:
        """Ask in so many places at once."""
        await asyncio.gather(*(self._asked() for _ in range(FLOOD)))

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True

    async def _asked(self) -> None:
        while not self._stopped:
            credential = self._credential_of(next(self._numbers))
            self.answers.append(await self._behind.line.called("delete", {"x": 20_000}, credential))


async def ordinary(behind: Behind) -> None:
    """Call as another agent, and see that it is allowed."""
    got = await behind.line.called("echo", {"text": "fine"}, credential(ORDINARY))
    assert got.status == 200, got
    assert not got.message["result"].get("isError"), got


@pytest.mark.parametrize("credential_of", [of_one_agent, made_up])
async def test_a_flood_of_slow_questions_takes_the_places_of_nobody_else(
    tmp_path: Path, credential_of: Callable[[int], tuple[str, str]]
) -> None:
    written(tmp_path)
    settings = {"opa": {"deadline_ms": DEADLINE_MS}}
    async with standing(tmp_path, files=AGENTS, settings=settings) as behind:
        await ordinary(behind)
        behind.server.begin()
        flood = Flood(behind, credential_of)
        flooding = asyncio.create_task(flood.run())
        for _ in range(OTHERS):
            await ordinary(behind)
        while len(flood.answers) < FLOOD:
            await ordinary(behind)
        flood.stop()
        await flooding
        assert {effect.json["params"]["name"] for effect in behind.server.effects} == {"echo"}
        assert {got.reason for got in flood.answers} <= {"too_many_questions", "policy_unavailable"}
        crowded = [got for got in flood.answers if got.reason == "too_many_questions"]
        text = crowded[0].message["result"]["content"][0]["text"]
        assert "Try again in a moment" in text
        assert "Do not retry" not in text
        recorded = [one.get("code") for one in behind.gateway.records("decided") if one["method"] == "tools/call"]
        assert recorded.count("too_many_questions") == len(crowded)
        counted = f'mcp_admission_policy_failures_total{{code="too_many_questions"}} {len(crowded)}.0'
        async with httpx.AsyncClient() as client:
            assert counted in (await client.get(f"{behind.gateway.admin}/metrics", timeout=10)).text
