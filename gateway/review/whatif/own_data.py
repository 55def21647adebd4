"""Proposed changes of a team's own data, with which its requirements compare the message.

Rule 1: only own data that a requirement among the reasons reads is changed, or without reasons the data of any
requirement. OPA lists what each requirement reads.
Rule 2: the values are those of the message, and the usual parts of an address or a URL.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.artifact.json_narrowing import Json, is_array, is_object
from gateway.review.whatif.patched_world import World, WorldChange, put
from gateway.review.whatif.question_context import WhatIfCase

_MOST_WORDS: Final = 12
_MOST_LISTS: Final = 12
_SIZE: Final = 3
_PREFIX: Final = ("data", "own")


def own_changes(scene: WhatIfCase) -> Iterator[WorldChange]:
    """Yield changes that add or remove an entry of a list, or change a limit, in the team's own data."""
    read = _read(scene)
    for path, value in islice(_values(scene.world.data.get("own", {}), read), _MOST_LISTS):
        if is_array(value):
            yield from _listed(scene, path, value)
        else:
            yield from _limited(scene, path, value)


def _listed(scene: WhatIfCase, path: tuple[str, ...], value: list[Any]) -> Iterator[WorldChange]:
    place = ".".join(path)
    for word in islice(_words(scene.world.question), _MOST_WORDS):
        if word in value:
            to = [each for each in value if each != word]
            yield _change(f'remove "{word}" from own.{place}', path, to)
        else:
            yield _change(f'add "{word}" to own.{place}', path, [*value, word])


def _limited(scene: WhatIfCase, path: tuple[str, ...], value: float) -> Iterator[WorldChange]:
    for number in islice(_numbers(scene.world.question), _MOST_WORDS):
        for to in (number, number + 1, number - 1):
            if to != value:
                yield _change(f"set own.{'.'.join(path)} to {to}", path, to)


def _change(text: str, path: tuple[str, ...], to: Any) -> WorldChange:
    return WorldChange(text=text, size=_SIZE, apply=partial(_with_own, path, to))


def _with_own(path: tuple[str, ...], to: Any, world: World) -> World:
    return World(world.question, put(world.data, ("own", *path), to))


def _read(scene: WhatIfCase) -> list[tuple[str, ...]]:
    """Return the places of the own data that the refusing requirements read, or all requirements if none refused."""
    found: list[tuple[str, ...]] = []
    for name, about in scene.world.data.get("requirements", {}).items():
        if scene.unmet and name not in scene.unmet:
            continue
        paths = [tuple(str(read).split(".")) for read in about.get("reads", ())]
        found += [path[2:] for path in paths if path[:2] == _PREFIX]
    return found


def _values(value: Any, read: list[tuple[str, ...]], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the text lists and the numbers in the own data at the places that requirements read."""
    if is_object(value):
        for name in sorted(value):
            yield from _values(value[name], read, (*at, name))
    elif any(path == at[: len(path)] for path in read) and _is_compared(value):
        yield at, value


def _is_compared(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (is_array(value) and all(isinstance(each, str) for each in value))


def _words(question: Json) -> Iterator[str]:
    """Yield the texts of the arguments, and the usually listed part of addresses and URLs, each once."""
    seen: set[str] = set()
    for text in _leaves(question.get("arguments", {})):
        if isinstance(text, str):
            for word in (*_parts(text), text):
                if word and word not in seen:
                    seen.add(word)
                    yield word


def _parts(text: str) -> Iterator[str]:
    if text.count("@") == 1:
        yield text.split("@")[1].lower()
    try:
        host = urlsplit(text).hostname if "://" in text else None
    except ValueError:
        return
    if host:
        yield host


def _numbers(question: Json) -> Iterator[float]:
    for value in _leaves(question.get("arguments", {})):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield value


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the values in an object that are not objects or arrays, without recursion because it may be deep."""
    todo: list[Any] = [value]
    while todo:
        item = todo.pop(0)
        if is_object(item):
            todo += item.values()
        elif is_array(item):
            todo += item
        else:
            yield item
