"""Index the facts about arguments that the rules of each server read (`data.index.facts`).

Rule 1: a server has an entry if its rules read facts. A server without an entry uses `*`, the rules for any server.
Rule 2: the paths are those of conditions. If a path leads to a list, each element counts.
"""

from collections.abc import Iterable
from typing import Final

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.masked_reads import ANY_SERVER, offered
from gateway.policy.rules.rule_conditions import SQL, tests_of

FACTS: Final = {"host": "host", "domain": "domain", "within": "path"}
"""The word of a test -> the fact that it reads; the fact of `sql` is named after its dialect."""

Needed = list[Json]


def fact_index(data: Json) -> dict[str, Needed]:
    """Return server id or `*` -> the facts that are needed about the arguments; servers without any are left out."""
    general = _needed(data, offered(data, ANY_SERVER))
    index = {ANY_SERVER: general}
    for server in sorted(data["catalog"]["servers"]):
        own = _needed(data, offered(data, server))
        if own != general:
            index[server] = own
    return {server: needed for server, needed in index.items() if needed}


def _needed(data: Json, names: Iterable[str]) -> Needed:
    facts: dict[str, set[str]] = {}
    for name in names:
        for test in tests_of(data["rules"][name]):
            if test.word in FACTS:
                facts.setdefault(test.path, set()).add(FACTS[test.word])
            elif test.word == SQL:
                facts.setdefault(test.path, set()).add(test.operand["dialect"])
    return [{"path": path, "facts": sorted(facts[path])} for path in sorted(facts)]
