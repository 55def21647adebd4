"""A refusal names the owners of the refusing rule, agent or server, and no contact if the policy states none."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.admission.decision import Decision, Ground, Resolved, ResolvedAgent, ResolvedServer
from gateway.admission.refusal_contacts import owners
from tests.fakes import World, deny
from tests.unit.server.client import Browser

RESOLVED = Resolved(
    agent=ResolvedAgent(id="bot", owner="bots@example.com"),
    server=ResolvedServer(id="s", trust="low", owner="servers@example.com"),
)
RULE = Ground(rule="no-deletes", effect="deny", owner="files@example.com")
OF_RULE = "files@example.com (owner of rule no-deletes)"
OF_AGENT = "bots@example.com (owner of agent bot)"
OF_SERVER = "servers@example.com (owner of server s)"


def refused(*requirements: str, **changes: Any) -> Decision:
    return replace(deny(*requirements), **({"resolved": RESOLVED} | changes))


@pytest.mark.parametrize(
    ("decision", "named"),
    [
        (refused("rules_permit", grounds=[RULE]), [OF_RULE]),
        (refused("rules_permit", grounds=[RULE, RULE]), [OF_RULE]),
        (refused("rules_permit", outcome="hold", grounds=[RULE]), [OF_RULE]),
        (refused("rules_permit"), [OF_SERVER]),
        (refused("target_is_listed"), [OF_SERVER]),
        (refused("agent_stays_in_scope"), [OF_AGENT]),
        (refused("agent_is_cleared"), [OF_AGENT]),
        (refused("agent_stays_in_scope", "rules_permit", grounds=[RULE]), [OF_RULE, OF_AGENT]),
        (refused("arguments_match_the_schema"), []),
        (refused("rules_permit", grounds=[replace(RULE, owner="")]), []),
        (refused("rules_permit", "target_is_listed", resolved=Resolved()), []),
        (refused("agent_stays_in_scope", resolved=Resolved(agent=ResolvedAgent(id="bot"))), []),
    ],
)
def test_the_owner_of_what_refuses_is_named(decision: Decision, named: list[str]) -> None:
    assert list(owners(decision)) == named


async def test_a_refused_caller_reads_the_contact() -> None:
    world = World(lambda _: refused("rules_permit", grounds=[RULE]))
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert f"Whom to ask: {OF_RULE}." in got.json["result"]["content"][0]["text"].splitlines()
    assert OF_RULE in json.dumps(got.json["result"]["_meta"])
