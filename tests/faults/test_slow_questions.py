"""A caller whose questions take OPA too long is refused, and nobody else notices."""

import asyncio
from pathlib import Path
from typing import Final

from tests.faults.behind import standing

DEADLINE_MS: Final = 2_000
"""Long, so that a busy machine does not make ordinary questions slow too."""
SLOW: Final = 6
"""Questions at once: more than the failures in a row that would open the breaker."""
REQUIREMENT: Final = """\
# METADATA
# title: No product is found
# description: What is called x has no factors; where it is large, that takes longer than anybody waits.
# custom: {severity: low, remedy: Send a small number.}
package mcp.requirements.no_product_is_found

met if true

met_by_arguments if object.get(input.arguments, "x", null) == null

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


async def test_a_caller_with_slow_questions_denies_nobody_else(tmp_path: Path) -> None:
    directory = tmp_path / "policy" / "rego" / "mcp" / "requirements" / "no_product_is_found"
    directory.mkdir(parents=True)
    (directory / "no_product_is_found.rego").write_text(REQUIREMENT, encoding="utf-8")
    (directory / "no_product_is_found_test.rego").write_text(TEST, encoding="utf-8")
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
