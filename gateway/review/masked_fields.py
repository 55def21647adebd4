"""Masked fields of a recorded question, and the requirements of a bundle that read them.

Rule 1: a field counts as masked if its value is a mask or looks like one, even if the client sent that text.
Rule 2: OPA lists what the requirements of a bundle read (`data.requirements.<name>.reads`); a requirement without a
list reads everything. Rules check arguments and claims by path; only the paths of the rules for the server count.
Rule 3: a requirement can evaluate a question if none of the fields that it reads was masked.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.admission.secret_texts import MASKED
from gateway.artifact.json_narrowing import Json, is_array, is_object
from gateway.policy.rules.masked_reads import by_rules, compared, pointers, rule_pointers
from gateway.protocol.json_pointers import keys_of
from gateway.review.recorded_decision import RecordedDecision

_MASK: Final = re.compile(r"\[string of \d+\]|\[number\]")
_WRITTEN: Final = (
    ("arguments",),
    ("principal", "claims"),
    ("context", "headers"),
    ("target",),
    ("client",),
    ("definition",),
)
"""Fields that can contain masks."""


def withheld(row: RecordedDecision) -> list[str]:
    """Return the masked fields of the question as dotted paths."""
    if row.whole:
        return []
    found: list[str] = []
    for path in _WRITTEN:
        found += _masks(_at(row.input, path), path)
    if not _at(row.input, ("arguments_meta", "digest")):
        found.append("arguments_meta.digest")
    return found


def is_withheld(value: Any) -> bool:
    """Return whether a value is a mask or contains one."""
    return any(True for _ in _masks(value, ()))


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if is_object(value) else None
    return value


def _masks(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the masked places in a value, without recursion because the value may be deep."""
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
    """The fields of a question that the requirements of one bundle read, by server."""

    def __init__(self, data: Json) -> None:
        """Take the data of the bundle."""
        self.data: Final = data
        self._reads: Final = {str(name): pointers(each) for name, each in _object(data, "requirements").items()}
        self._by_server: Final[dict[str, Mapping[str, tuple[str, ...]]]] = {}

    @property
    def names(self) -> list[str]:
        """The requirements that the bundle lists."""
        return list(self._reads)

    def of(self, server: str) -> Mapping[str, tuple[str, ...]]:
        """Return requirement -> the fields that it reads of a question to this server. The empty field means all."""
        key = server if server in _object(self.data, "index", "rules") else ""
        if key not in self._by_server:
            self._by_server[key] = {name: self._narrowed(name, reads, key) for name, reads in self._reads.items()}
        return self._by_server[key]

    def prevented(self, row: RecordedDecision, places: Iterable[str]) -> list[str]:
        """Return the requirements that read one of these fields; all of them if the bundle lists none."""
        hidden = list(places)
        reads = self.of(row.server)
        if not reads:
            return [""] if hidden else []
        return [name for name, each in reads.items() if any(_touches(place, at) for place in hidden for at in each)]

    def arguments(self) -> list[str]:
        """Return the JSON pointers of the arguments that rules compare, of all servers, sorted."""
        return sorted({path for rule in _object(self.data, "rules").values() for path in compared(rule)})

    def _narrowed(self, name: str, reads: list[str], server: str) -> tuple[str, ...]:
        places = [read for read in reads if not by_rules(name, read)]
        ruled = rule_pointers(self.data, server) if len(places) < len(reads) else []
        return tuple(dotted(place) for place in (*places, *ruled))


def dotted(pointer: str) -> str:
    """Return a JSON pointer into a question as a dotted path."""
    return ".".join(keys_of(pointer))


def _touches(place: str, read: str) -> bool:
    return not read or place == read or place.startswith(f"{read}.") or read.startswith(f"{place}.")


def _object(value: Any, *path: str) -> Json:
    found = _at(value, path)
    return found if is_object(found) else {}
