"""Determine the gateway version that a bundle needs, from the settings that its policy uses.

Rule 1: an older gateway would ignore a setting that it does not know, and so permit more than the bundle intends.
Rule 2: every gateway can enforce a policy without these settings.
"""

from collections.abc import Iterator
from typing import Any, Final

from gateway.artifact.json_narrowing import Json, is_object
from gateway.artifact.manifest import CHECKS_SERVERS, LOWEST_GATEWAY, NAMES_UNKNOWN_CLAIMS
from gateway.policy.rules.rule_index import OF_CLAIMS

_BY_CLAIMS: Final = frozenset({*OF_CLAIMS, "claims"})
"""The claims in `who` of a rule; they restrict in a `deny` or `hold`, and in the exception of an `allow`."""


def lowest_gateway(data: Json) -> str:
    """Return the version of the first gateway that enforces all of a bundle's data."""
    if any(_by_claims(data)) or _at(data, "index", "facts") or any(_recorded(data)):
        return NAMES_UNKNOWN_CLAIMS
    return CHECKS_SERVERS if any(_asked(data)) else LOWEST_GATEWAY


def _recorded(data: Json) -> Iterator[bool]:
    for server in _at(data, "catalog", "servers").values():
        yield is_object(server) and "record" in server
    for targets in _at(data, "catalog", "targets").values():
        for kind, listed in targets.items() if is_object(targets) else ():
            entries: Any = [listed] if kind == "tasks" else listed.values() if is_object(listed) else listed
            yield from ("record" in entry for entry in entries or () if is_object(entry))


def _by_claims(data: Json) -> Iterator[bool]:
    """Yield whether a rule restricts callers by claims, or an identity distinguishes agents by them."""
    for rule in _at(data, "rules").values():
        allows = is_object(rule) and rule.get("effect") == "allow"
        restricting = ("unless", "who") if allows else ("who",)
        yield not _BY_CLAIMS.isdisjoint(_at(rule, *restricting))
    for tables in _at(data, "index", "identities").values():
        yield is_object(tables) and bool(tables.get("group") or tables.get("combined"))


def _asked(data: Json) -> Iterator[bool]:
    yield _at(data, "environment").get("check_schemas") == "strict"
    for server in _at(data, "catalog", "servers").values():
        yield is_object(server) and (server.get("check_output") is True or server.get("instructions") is not None)


def _at(value: Any, *path: str) -> Json:
    for key in path:
        value = value.get(key) if is_object(value) else None
    return value if is_object(value) else {}
