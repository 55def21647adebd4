"""The mutants of a Rego file: copies with one changed expression, operator or constant.

Rule 1: everything except the change stays the same, byte for byte.
Rule 2: the same file gives the same mutants in the same order, each once. METADATA and tests are not mutated.
"""

from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import is_array, is_object
from gateway.authoring.mutation.operators import OPERATORS
from gateway.authoring.mutation.rego_source import RegoText
from gateway.policy.rego.rego_module import Module, walk

_SHOWN: Final = 80


class Mutant(Struct, frozen=True, order=True):
    """One changed file: characters `start` to `end` (`was`) become `now`; `kind` names the change in one word."""

    path: str
    line: int
    start: int
    end: int
    kind: str
    was: str
    now: str

    def applied(self, content: str) -> str:
        """Return the text of the mutated file."""
        return content[: self.start] + self.now + content[self.end :]

    @property
    def change(self) -> str:
        """Return the change as one line of text."""
        return f"{self.kind}: `{_short(self.was)}` -> `{_short(self.now)}`"


def _short(source: str) -> str:
    words = " ".join(source.split())
    return words if len(words) <= _SHOWN else f"{words[: _SHOWN - 3]}..."


def mutants(module: Module, content: str) -> list[Mutant]:
    """Return every mutant of a file, in the order of the file."""
    if module.is_test:
        return []
    source = RegoText(content)
    found: dict[tuple[int, int, str], Mutant] = {}
    for node in walk(_code(module.rules)):
        for operator in OPERATORS:
            for edit in operator(node, source):
                span, was = edit.span, source.of(edit.span)
                mutant = Mutant(module.path, source.line(span), span.start, span.end, edit.kind, was, edit.now)
                if was != edit.now:
                    found.setdefault((span.start, span.end, edit.now), mutant)
    return sorted(found.values())


def _code(node: Any) -> Any:
    """Return the tree without its METADATA."""
    if is_object(node):
        return {key: _code(value) for key, value in node.items() if key != "annotations"}
    return [_code(each) for each in node] if is_array(node) else node
