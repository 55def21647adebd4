"""A question with the data that it is evaluated on, and a change of either.

Rule 1: a world is immutable; a change returns a new world that shares its unchanged parts.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_object
from gateway.policy.rules.fact_index import fact_index
from gateway.policy.rules.rule_index import by_person, rule_index, seal, who_index


class World(Struct, frozen=True):
    """The input and the data of one evaluation by OPA."""

    question: Json
    data: Json


class WorldChange(Struct, frozen=True, kw_only=True):
    """One change: its description and its function; a lower `size` is a smaller change."""

    text: str
    size: int
    apply: Callable[[World], World]


def put(value: Any, path: tuple[str, ...], new: Any) -> Any:
    """Return an object with another value at `path`; missing objects on the way are created."""
    if not path:
        return new
    inner: Json = value if is_object(value) else {}
    return {**inner, path[0]: put(inner.get(path[0]), path[1:], new)}


def without(value: Json, path: tuple[str, ...]) -> Json:
    """Return an object without the value at `path`."""
    first, *rest = path
    if rest:
        return {**value, first: without(value.get(first, {}), tuple(rest))}
    return {name: each for name, each in value.items() if name != first}


def on_data(*path: str, to: Any) -> Callable[[World], World]:
    """Return the change that sets a value in the data."""
    return lambda world: World(world.question, put(world.data, path, to))


def off_data(*path: str) -> Callable[[World], World]:
    """Return the change that removes a value from the data."""
    return lambda world: World(world.question, without(world.data, path))


def on_question(*path: str, to: Any) -> Callable[[World], World]:
    """Return the change that sets a value in the question."""
    return lambda world: World(put(world.question, path, to), world.data)


def indexed(before: Json, data: Json) -> Json:
    """Return the data with the index that the build would create; the index of `before` must be correct."""
    index, servers = data["index"], data["catalog"]["servers"]
    ruled = data["rules"] is not before["rules"] or servers is not before["catalog"]["servers"]
    rules = rule_index(data["rules"], servers) if ruled else index["rules"]
    facts = fact_index(data | {"index": {"rules": rules}}) if ruled else index.get("facts", {})
    again = ruled or data["agents"] is not before["agents"]
    made: Json = {
        "rules": rules,
        "who": who_index(data["agents"], rules) if again else index["who"],
        **({"people": by_person(rules)} if ruled else {}),
        "seals": _sealed(before["rules"], index["seals"], data["rules"]),
        "agent_seals": _sealed(before["agents"], index["agent_seals"], data["agents"]),
        "server_seals": _sealed(before["catalog"]["servers"], index["server_seals"], servers),
    }
    stated = {"facts": facts} if facts or "facts" in index else {}
    return {**data, "index": {**index, **made, **stated}}


def faithful(data: Json) -> bool:
    """Return whether this version of the build would create the same index as the bundle has."""
    try:
        index, servers = data["index"], data["catalog"]["servers"]
        rules = rule_index(data["rules"], servers)
        sealed = {name: seal(rule) for name, rule in data["rules"].items()}
        same = rules == index["rules"] and sealed == index["seals"] and by_person(rules) == index.get("people", False)
        facts = fact_index(data | {"index": {"rules": rules}})
        same = same and facts == index.get("facts", {})
        return bool(same and who_index(data["agents"], rules) == index["who"])
    except (KeyError, TypeError, AttributeError):
        return False


def _sealed(before: Json, seals: Json, entries: Json) -> Json:
    if entries is before:
        return seals
    return {name: seals[name] if each is before.get(name) else seal(each) for name, each in entries.items()}


def patch(old: Any, new: Any, at: str = "") -> Iterator[Json]:
    """Yield the JSON Patch (RFC 6902) that turns `old` into `new`; identical objects are not compared."""
    if old is new:
        return
    if is_object(old) and is_object(new):
        yield from _entries(old, new, at)
    elif old != new:
        yield {"op": "replace", "path": at, "value": new}


def _entries(old: Mapping[str, Any], new: Mapping[str, Any], at: str) -> Iterator[Json]:
    for name in old.keys() | new.keys():
        place = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in new:
            yield {"op": "remove", "path": place}
        elif name not in old:
            yield {"op": "add", "path": place, "value": new[name]}
        else:
            yield from patch(old[name], new[name], place)
