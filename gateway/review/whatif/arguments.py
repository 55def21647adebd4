"""Proposed changes of the question: other arguments and other moments.

Rule 1: the values are taken from the conditions of rules, met and not met. The schema of the target is not used, so an
argument is only replaced or added if a rule compares it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from gateway.admission.question import measured, moment
from gateway.artifact.json_narrowing import Json, is_array, is_object
from gateway.policy.rules.rule_conditions import exception_of
from gateway.protocol.json_pointers import keys_of
from gateway.review.whatif.patched_world import World, WorldChange, on_question, put
from gateway.review.whatif.question_context import WhatIfCase

_MOST_VALUES: Final = 3
_DAYS: Final = 8
_NS: Final = 1_000_000_000
ABSENT: Final = object()
_ANOTHER: Final = "another-value"


def argument_changes(scene: WhatIfCase) -> Iterator[WorldChange]:
    """Yield arguments that would meet, or not meet, a condition of a nearby rule."""
    seen: set[bytes] = set()
    for rule, condition in scene.conditions():
        path = keys_of(condition["path"])
        now = at(scene.world.question["arguments"], path)
        for value in (*_meeting(condition, now), *_missing(condition)):
            key = msgspec.json.encode([path, value])
            if value == now or key in seen or not _placeable(scene.world.question["arguments"], path):
                continue
            seen.add(key)
            said = msgspec.json.encode(value).decode()
            text = f"argument {condition['path']} = {said}, as compared by rule {rule}"
            yield WorldChange(text=text, size=1, apply=partial(_with_argument, path, value))


def _with_argument(path: tuple[str, ...], value: Any, world: World) -> World:
    arguments = put(world.question["arguments"], path, value)
    schema = world.question["arguments_meta"].get("schema", "none")
    meta = msgspec.to_builtins(measured(arguments, schema))
    return World({**world.question, "arguments": arguments, "arguments_meta": meta}, world.data)


def at(value: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path, or `ABSENT` if there is none."""
    for part in path:
        if is_object(value) and part in value:
            value = value[part]
        elif is_array(value) and part in map(str, range(len(value))):
            value = value[int(part)]
        else:
            return ABSENT
    return value


def _placeable(value: Any, path: tuple[str, ...]) -> bool:
    """Return whether a value can be put there without replacing a value that is not an object."""
    for part in path[:-1]:
        if not is_object(value):
            return False
        value = value.get(part, {})
    return is_object(value)


def _meeting(test: Json, now: Any) -> Iterator[Any]:
    """Yield values that would pass a test."""
    for word, operand in test.items():
        match word:
            case "equals" | "max" | "at_most" | "at_least":
                yield operand
            case "above" | "below":
                yield operand + (1 if word == "above" else -1)
            case "in":
                yield from operand[:_MOST_VALUES]
            case "prefix":
                yield operand + (now.rsplit("/", 1)[-1] if isinstance(now, str) else "")
            case "glob":
                yield operand.replace("*", "x").replace("?", "x")
            case "host" | "domain" | "within" | "sql":
                yield from _having(word, [*operand][:_MOST_VALUES], now)
            case "any_element" | "every_element":
                yield from ([value] for value in _meeting(operand, None))
            case "not" | "none_of":
                yield from _missing(operand if word == "not" else operand[0])
            case _:
                pass


def _having(word: str, names: list[str], now: Any) -> Iterator[str]:
    """Yield URLs with one of the hosts, addresses with one of the domains, paths below one of the roots, or a query."""
    last = now.rsplit("/", 1)[-1] if isinstance(now, str) else ""
    if word == "sql":
        yield "SELECT 1"
        return
    for name in names:
        if word == "within":
            yield f"{name.rstrip('/')}/{last}".rstrip("/")
        else:
            yield ("https://" if word == "host" else "somebody@") + name.replace("*", "x")


def _missing(test: Json) -> Iterator[Any]:
    """Yield values that a test can judge and that would fail it."""
    for word, operand in test.items():
        match word:
            case "equals" | "in":
                yield from _other(operand if word == "equals" else operand[0])
            case "prefix" | "glob" | "matches":
                yield _ANOTHER
            case "max" | "at_most" | "above":
                yield operand + (0 if word == "above" else 1)
            case "at_least" | "below":
                yield operand - (0 if word == "below" else 1)
            case "any_element" | "every_element":
                yield from ([value] for value in _missing(operand))
            case "not":
                yield from _meeting(operand, None)
            case "none_of":
                yield from (value for each in operand for value in _meeting(each, None))
            case _:
                pass


def _other(value: Any) -> Iterator[Any]:
    """Yield another value of the same type."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif isinstance(value, str):
        yield _ANOTHER


def schema_changes(scene: WhatIfCase) -> Iterator[WorldChange]:
    """Yield the assumption of arguments that match the presented schema."""
    if scene.world.question["arguments_meta"].get("schema") in {"mismatch", "uncheckable"}:
        change = on_question("arguments_meta", "schema", to="match")
        yield WorldChange(text="arguments that match the schema that the server presents", size=1, apply=change)


def time_changes(scene: WhatIfCase) -> Iterator[WorldChange]:
    """Yield the next moments at which the hours or days of a nearby rule begin and end."""
    asked = int(scene.world.question["context"]["time"]["unix_ns"]) // _NS
    zone = scene.world.data["environment"].get("time_zone", "UTC")
    for effect in ("deny", "hold", "allow"):
        for name, rule, misfits in scene.rules(effect):
            if len(misfits) > 1:
                continue
            for when in filter(None, (rule["when"], exception_of(rule).get("when"))):
                for instant in _edges(when, asked, zone):
                    text = f"at {instant:%Y-%m-%dT%H:%M:%SZ}, for the hours of rule {name}"
                    time = msgspec.to_builtins(moment(int(instant.timestamp()) * _NS))
                    yield WorldChange(text=text, size=2, apply=on_question("context", "time", to=time))


def _edges(when: Mapping[str, Any], asked: int, default: str) -> Iterator[datetime]:
    """Yield the first start and the first end of each kind of day after the question, in UTC."""
    try:
        zone = ZoneInfo(when.get("time_zone") or default)
    except (ZoneInfoNotFoundError, ValueError):
        return
    local = datetime.fromtimestamp(asked, zone)
    days: list[str] = when.get("days", [])
    for clock in str(when.get("hours", "00:00-00:00")).split("-"):
        hour, _, minute = clock.partition(":")
        told: set[bool] = set()
        for day in range(_DAYS):
            edge = (local + timedelta(days=day)).replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
            named = not days or f"{edge:%A}".lower() in days
            if edge > local and named not in told:
                told.add(named)
                yield edge.astimezone(UTC)
