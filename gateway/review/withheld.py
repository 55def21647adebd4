"""What of a recorded question was withheld, and whether a bundle reads it.

Rule 1: a place is withheld where its value is a mask or may be one: a client's own text that looks like a mask counts.
Rule 2: a bundle reads what OPA said that its requirements read (`data.requirements.<name>.reads`); what it does not
say counts as everything. Of the rules, which judge arguments by path, the paths of those of the server are read.
Rule 3: a question is good for a requirement where nothing that it reads was withheld.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.admission.secrecy import MASKED
from gateway.bundle.plain import Json, is_array, is_object
from gateway.review.row import Row

RULES: Final = "rules_permit"
"""The stock requirement that judges the YAML rules."""
_ARGUMENTS: Final = "arguments"
_MASK: Final = re.compile(r"\[string of \d+\]|\[number\]")
_WRITTEN: Final = (("arguments",), ("principal", "claims"), ("context", "headers"), ("target",), ("client",))
"""Where masks can stand."""


def withheld(row: Row) -> list[str]:
    """Return the places of the question, dotted, whose values were withheld."""
    if row.whole:
        return []
    found: list[str] = []
    for path in _WRITTEN:
        found += _masks(_at(row.input, path), path)
    if not _at(row.input, ("arguments_meta", "digest")):
        found.append("arguments_meta.digest")
    return found


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if is_object(value) else None
    return value


def _masks(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the masked places in a value; without recursion, for it may be deep."""
    todo: list[tuple[Any, tuple[str, ...]]] = [(value, path)]
    while todo:
        item, place = todo.pop()
        if is_object(item):
            if any(MASKED in key for key in item):
                yield ".".join(place)
            todo += [(inner, (*place, key)) for key, inner in item.items()]
        elif is_array(item):
            todo += [(inner, (*place, str(number))) for number, inner in enumerate(item)]
        elif isinstance(item, str) and (MASKED in item or _MASK.fullmatch(item)):
            yield ".".join(place)


class Readings:
    """What the requirements of one bundle read of a question, by server."""

    def __init__(self, data: Json) -> None:
        self._reads: Final = {str(name): _inputs(each) for name, each in _object(data, "requirements").items()}
        self._index: Final = _object(data, "index", "rules")
        self._rules: Final = _object(data, "rules")
        self._by_server: Final[dict[str, Mapping[str, tuple[str, ...]]]] = {}

    @property
    def names(self) -> list[str]:
        """The requirements that the bundle describes."""
        return list(self._reads)

    def of(self, server: str) -> Mapping[str, tuple[str, ...]]:
        """Return requirement -> the places that it reads of a question to this server; the empty place is all."""
        key = server if server in self._index else ""
        if key not in self._by_server:
            self._by_server[key] = {name: self._narrowed(name, reads, key) for name, reads in self._reads.items()}
        return self._by_server[key]

    def prevented(self, row: Row, places: Iterable[str]) -> list[str]:
        """Return the requirements that read one of these places; all of them where the bundle names none."""
        hidden = list(places)
        reads = self.of(row.server)
        if not reads:
            return [""] if hidden else []
        return [name for name, each in reads.items() if any(_touches(place, at) for place in hidden for at in each)]

    def arguments(self) -> list[str]:
        """Return the JSON pointers of the arguments that rules compare, of all servers, sorted."""
        return sorted({path for rule in self._rules.values() for path in _pointers(rule)})

    def _narrowed(self, name: str, reads: tuple[str, ...], server: str) -> tuple[str, ...]:
        if name != RULES or _ARGUMENTS not in reads:
            return reads
        offered = [*_ids(self._index.get("*")), *_ids(self._index.get(server))]
        if not self._index or any(rule not in self._rules for rule in offered):
            return reads  # an index that is not what the build made: nothing is known of what it leads to
        compared = {path for rule in offered for path in _pointers(self._rules[rule])}
        return (*(read for read in reads if read != _ARGUMENTS), *sorted(dotted(path) for path in compared))


def dotted(pointer: str) -> str:
    """Return the place in a question that a JSON pointer into its arguments names."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    return ".".join([_ARGUMENTS, *parts])


def _touches(place: str, read: str) -> bool:
    return not read or place == read or place.startswith(f"{read}.") or read.startswith(f"{place}.")


def _inputs(requirement: Any) -> tuple[str, ...]:
    reads: Any = requirement.get("reads") if is_object(requirement) else None
    if not is_array(reads):
        return ("",)
    texts = [str(read) for read in reads]
    return tuple(read.removeprefix("input").removeprefix(".") for read in texts if read.split(".")[0] == "input")


def _object(value: Any, *path: str) -> Json:
    found = _at(value, path)
    return found if is_object(found) else {}


def _ids(rows: Any) -> Iterator[str]:
    """Yield the rules that the index offers on one server."""
    for row in rows.values() if is_object(rows) else ():
        for leaf in row.values():
            yield from leaf["allow"]
            yield from leaf["look"]


def _pointers(rule: Json) -> list[str]:
    return [str(condition["path"]) for condition in rule.get("arguments", ())]
