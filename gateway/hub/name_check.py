"""Whether the bundles in force know what a stop selects, and can enforce it.

Rule 1: a name that no bundle lists is a warning: the stop stands, because the next bundle may list it.
Rule 2: there is no warning about what bundles do not list, such as principals, or if a bundle cannot be read.
Rule 3: a stop that an older library would take for a wider one is refused, so that it stops no more than was asked.
"""

from collections.abc import Iterable
from typing import Final

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.bundle_data import data_of
from gateway.artifact.emergency_bundle import Kind, Stop, is_extended, selectors
from gateway.artifact.json_types import Json
from gateway.follow.acceptance import understands

UNABLE: Final = "Build the policy again on this stock library, or stop by agent, principal, server or target alone."
"""What to do about a stop that a policy in force cannot enforce."""
_NEVER_LISTED: Final = frozenset({"principal", "session", "group", "action"})


def unenforceable(stop: Stop, bundles: Iterable[bytes]) -> str:
    """Why a policy in force would refuse more than the stop says; empty if each can enforce it as it is."""
    if not is_extended(stop):
        return ""
    for content in bundles:
        artifact = read_artifact(content)
        if isinstance(artifact, Artifact) and not understands(artifact):
            what = "stop only one agent, principal, server or target at a time"
            return f"the library of the policy {artifact.revision} can {what}, and would refuse more than this"
    return ""


def unborne(stop: Stop, bundles: Iterable[bytes]) -> str:
    """That no bundle in force lists a selector of the stop; empty if each is listed, or none could be."""
    known: list[Json] = []
    for content in bundles:
        artifact = read_artifact(content)
        data = data_of(artifact) if isinstance(artifact, Artifact) else None
        if data is None:
            return ""
        known.append(data)
    for kind, name in selectors(stop).items():
        listed = kind in _NEVER_LISTED or any(_lists(carried, kind, name) for carried in known)
        if known and not listed:
            return f"no bundle in force lists the {kind} {name!r}"
    return ""


def _lists(data: Json, kind: Kind, name: str) -> bool:
    agents, servers = data["agents"], data["catalog"]["servers"]
    if kind == "agent":
        return name in agents
    if kind == "server":
        return name in servers
    if kind == "kind":
        return any(agent.get("kind") == name for agent in agents.values())
    if kind == "label":
        return any(name in agent["labels"] for agent in agents.values())
    if kind == "tag":
        return any(name in server.get("tags", ()) for server in servers.values())
    return _lists_target(data, name)


def _lists_target(data: Json, text: str) -> bool:
    server, _, name = text.partition("/")
    targets = data["catalog"]["targets"].get(server)
    if targets is None:
        return False
    prefixes = (each["prefix"] for each in targets["resource_prefixes"])
    return any(name in targets[kind] for kind in ("tools", "prompts", "resources")) or name.startswith((*prefixes,))
