"""The contacts for a refusal: the owners of the refusing rule, agent or server, as the policy states them.

Rule 1: rules come first; without one, the owner of the agent or the server that a requirement is about.
Rule 2: if the policy states no owner, the refusal names no contact.
"""

from collections.abc import Iterator
from typing import Final

from gateway.admission.decision import Decision

_RULES: Final = "rules_permit"
_ABOUT_AGENT: Final = frozenset({"agent_is_cleared", "agent_is_registered", "agent_stays_in_scope"})
_ABOUT_SERVER: Final = frozenset(
    {"definition_is_unchanged", "server_is_listed", "server_requests_are_agreed", "target_is_listed"}
)


def owners(decision: Decision) -> tuple[str, ...]:
    """Return the owners of a refused message, each once, with the thing that they own."""
    return tuple(dict.fromkeys(_owners(decision)))


def _owners(decision: Decision) -> Iterator[str]:
    unmet = {reason.requirement for reason in decision.reasons}
    ruled = [ground for ground in decision.grounds if ground.owner]
    yield from (f"{ground.owner} (owner of rule {ground.rule})" for ground in ruled)
    agent, server = decision.resolved.agent, decision.resolved.server
    if agent is not None and agent.owner and unmet & _ABOUT_AGENT:
        yield f"{agent.owner} (owner of agent {agent.id})"
    if (
        server is not None
        and server.owner
        and unmet & (_ABOUT_SERVER if decision.grounds else _ABOUT_SERVER | {_RULES})
    ):
        yield f"{server.owner} (owner of server {server.id})"
