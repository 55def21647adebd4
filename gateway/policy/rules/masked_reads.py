"""Index the masked parts of a record that the policy of each server reads (`data.index.reads`).

Rule 1: a place is a JSON pointer (RFC 6901) into the policy input. Reading an object means reading all of its content.
Rule 2: the reads of a requirement are those that OPA reported. The rules test arguments and claims by path: their reads
are the paths of the rules that the index offers on the server.
Rule 3: if the index is not as the build made it, all arguments and claims count as read.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gateway.artifact.json_narrowing import Json, is_object
from gateway.policy.rules.rule_conditions import conditions_of
from gateway.policy.rules.who_matching import CLAIMS, claim_pointers
from gateway.protocol.json_pointers import pointer_to

RULES: Final = "rules_permit"
"""The stock requirement that evaluates the YAML rules."""
ANY_SERVER: Final = "*"
ARGUMENTS: Final = "/arguments"
MASKED: Final = (ARGUMENTS, CLAIMS, "/context/headers")
"""The places of a question that the masking level `masked` hides (`gateway.admission.record_masking`)."""


def read_index(data: Json) -> dict[str, list[str]]:
    """Return server id or `*` -> the places below `MASKED` that its requirements and rules read, sorted."""
    required = {name: pointers(each) for name, each in data["requirements"].items()}
    stated = [place for name, each in required.items() for place in each if not by_rules(name, place)]
    return {
        server: _outermost([*_masked(stated), *rule_pointers(data, server)])
        for server in (ANY_SERVER, *sorted(data["catalog"]["servers"]))
    }


def wholesale(data: Json) -> list[str]:
    """Return the requirements that read all arguments, which makes a masked record keep all of them."""
    return [
        name
        for name, each in data["requirements"].items()
        if name != RULES and any(within(ARGUMENTS, place) for place in pointers(each))
    ]


def pointers(requirement: Any) -> list[str]:
    """Return the places of the policy input that a bundle's requirement reads; the empty place is the whole input."""
    reads: Any = requirement.get("reads") if is_object(requirement) else None
    if not isinstance(reads, list):
        return [""]
    parts = [str(read).split(".") for read in reads]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return [pointer_to(path[1:]) for path in parts if path[0] == "input"]


def rule_pointers(data: Json, server: str) -> list[str]:
    """Return the places that the rules compare on a server; the rules for any server apply to an unknown one."""
    index, rules = _object(data, "index", "rules"), _object(data, "rules")
    names = offered(data, server)
    if not index or not names <= rules.keys():
        return [ARGUMENTS, CLAIMS]
    read = {ARGUMENTS + path for name in names for path in compared(rules[name])}
    return sorted(read.union(place for name in names for place in claim_pointers(rules[name])))


def offered(data: Json, server: str) -> set[str]:
    """Return the rules that the index offers on a server, including those for any server."""
    index = _object(data, "index", "rules")
    return {*_ids(index.get(ANY_SERVER)), *_ids(index.get(server))}


def by_rules(requirement: str, place: str) -> bool:
    """Return whether a read of a requirement is on behalf of single rules: only offered rules count for it."""
    return requirement == RULES and (place == ARGUMENTS or within(place, CLAIMS))


def compared(rule: Json) -> list[str]:
    """Return the JSON pointers into the arguments that one rule compares."""
    return [str(condition["path"]) for _, condition in conditions_of(rule)]


def within(place: str, other: str) -> bool:
    """Return whether a place equals another one or is inside it; every place is inside the empty one."""
    return place == other or place.startswith(f"{other}/")


def _masked(places: Iterable[str]) -> Iterator[str]:
    """Yield the parts of the places that are below `MASKED`."""
    for place in places:
        for hidden in MASKED:
            if within(place, hidden):
                yield place
            elif within(hidden, place):
                yield hidden


def _outermost(places: Iterable[str]) -> list[str]:
    """Return the places that are not inside another one."""
    kept: list[str] = []
    for place in sorted(set(places), key=lambda each: each.split("/")):
        if not kept or not within(place, kept[-1]):
            kept.append(place)
    return kept


def _object(value: Any, *path: str) -> Mapping[str, Any]:
    for key in path:
        value = value.get(key) if is_object(value) else None
    return value if is_object(value) else {}


def _ids(rows: Any) -> Iterator[str]:
    """Yield the rules that the index offers on one server."""
    for row in rows.values() if is_object(rows) else ():
        for leaf in row.values():
            yield from leaf["allow"]
            yield from leaf["look"]
