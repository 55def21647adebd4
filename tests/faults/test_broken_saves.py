"""A running gateway follows the next good save of its policy, whatever was saved before."""

import random
from pathlib import Path
from typing import Any

from tests.broken_saves import broken
from tests.faults.behind import Behind, standing
from tests.running import OPEN, until

SEED = 20261130
STEPS = 8
SHUT = {"rules": [{"rule": "nothing", "effect": "deny", "reason": "a test", "owner": "test@example.com"}]}


async def is_refused(behind: Behind) -> bool:
    got = await behind.line.called("echo", {"text": "x"})
    return bool(got.message["result"].get("isError"))


async def problem(behind: Behind) -> str | None:
    """What the gateway says of the last save, if it refused it."""
    return (await behind.gateway.readiness()).get("policy_problem") or None


async def refused(behind: Behind) -> str:
    said = await until(lambda: problem(behind), lambda: f"the save was taken: {behind.gateway.log.read_text()[-2000:]}")
    return str(said)


async def followed(behind: Behind, rules: dict[str, Any], *, refuses: bool) -> None:
    """Save rules in order, and wait until calls end as they say."""
    behind.gateway.save("rules/open.yaml", rules)

    async def enforced() -> bool | None:
        in_order = await problem(behind) is None
        return True if in_order and await is_refused(behind) is refuses else None

    await until(enforced, lambda: f"not followed: {behind.gateway.log.read_text()[-2000:]}")


async def test_after_any_broken_saves_a_running_gateway_follows_the_next_good_one(tmp_path: Path) -> None:
    chosen = random.Random(SEED)
    async with standing(tmp_path) as behind:
        policy = behind.gateway.policy
        places = [policy / each for each in ("rules/odd.yaml", "data/odd.yaml", "catalog/odd.yaml", "odd.yml")]
        places += [policy.parents[1] / "rego/mcp/lib/own/odd/odd.rego"]
        in_force = False
        for step in range(STEPS):
            for place in chosen.sample(places, chosen.randint(1, 3)):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(broken(chosen))
            (policy / "rules/r.yml").write_text("never in order")
            assert await refused(behind), step
            assert await is_refused(behind) is in_force, "a broken save changed what is in force"
            for place in (*places, policy / "rules/r.yml"):
                place.unlink(missing_ok=True)
            in_force = step % 2 == 0
            await followed(behind, SHUT if in_force else dict(OPEN), refuses=in_force)
