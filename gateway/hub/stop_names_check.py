"""Check that the bundles in force list the names in a stop, and can enforce it.

Rule 1: a name that no bundle lists causes a warning. The stop stays active, because the next bundle may list the name.
Rule 2: names that bundles never list, such as principals, cause no warning. An unreadable bundle disables warnings.
Rule 3: a stop that an older library would read as a wider stop is refused, so that no more than requested is stopped.
"""

from collections.abc import Iterable
from typing import Final

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.bundle_data import data_of
from gateway.artifact.json_narrowing import Json
from gateway.artifact.stops_bundle import Kind, Stop, is_extended, selectors
from gateway.follow.acceptance import understands

UNABLE: Final = (
    "Rebuild the policy with the current stock library, or stop by agent, principal, server or target alone."
)
"""The remedy for a stop that a policy in force cannot enforce."""
_NEVER_LISTED: Final = frozenset({"principal", "session", "group", "action"})


def unenforceable(stop: Stop, bundles: Iterable[bytes]) -> str:
    """Return why a policy in force would refuse more than the stop says; empty if each can enforce it as it is."""
    if not is_extended(stop):
        return ""
    for content in bundles:
        artifact = read_artifact(content)
        if isinstance(artifact, Artifact) and not understands(artifact):
            what = "supports only stops by one agent, principal, server or target"
            return f"the library of the policy {artifact.revision} {what}, and would refuse more than this stop says"
    return ""


def unborne(stop: Stop, bundles: Iterable[bytes]) -> str:
    """Return which selector of the stop no bundle in force lists; empty if all are listed, or cannot be checked."""
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
