"""Find a team's own requirements that permit more if a value that they read is missing or has another type.

Rule 1: in the questions of the environments, every input field that a requirement reads, and each document of own data,
is removed or given other values. A real OPA reports which of these questions the requirement permits.
Rule 2: a requirement is open if it refuses some value of a place, but permits its absence or values of several types.
Rule 3: a case that a test of the author covers is not a finding: then the tests fail if the requirement refuses it.
"""

import itertools
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_object
from gateway.artifact.manifest import ROOTS
from gateway.authoring.mutation.alterations import places
from gateway.authoring.mutation.question_matrix import MutationEnvironment
from gateway.authoring.mutation.questions import questions
from gateway.authoring.mutation.worktrees import FAILED
from gateway.policy.rego.body_demands import is_certain, is_untyped
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_module import Parser, row, walk
from gateway.policy.rego.staged_requirements import RequirementDirectory, discover, read_sets
from gateway.policy.rego.staged_tree import StagedTree

Rule = Literal["met", "met_by_arguments"]
_RULES: Final[tuple[Rule, ...]] = ("met", "met_by_arguments")
_STRANGE: Final = "an unknown value"
_VALUES: Final[tuple[Any, ...]] = (
    *(None, False, True, 0, -1, "", _STRANGE, [], [_STRANGE], [0], {}, {"a": _STRANGE}),
    1_000_000_000,
)
"""Values without a meaning for a policy: a requirement for one type permits at most those of that type."""
_ASKED: Final = 12
"""The number of questions per environment in which a place is varied."""
_LITERALS: Final = 24
_SEED: Final = 4
_ABSENT: Final = object()
_OWN: Final = "data.own."


class FailOpenFinding(Struct, frozen=True, order=True):
    """A place whose absence or other type makes a requirement permit a message that it otherwise refuses."""

    file: str
    line: int
    rule: Rule
    place: str
    how: str
    """The text `is missing`, or the permitted types."""

    def words(self) -> str:
        """Return the finding as one line of text."""
        said = f"`{self.rule}` refuses some values of `{self.place}`, but permits the message if it {self.how}"
        return f"{said}, and no test covers this"


class _Asked(Struct, frozen=True):
    """One variant of a question: the number of the varied question, the value at the place, the question and data."""

    varied: int
    value: Any
    question: Json
    data: Json


def openings(
    tree: StagedTree, opa: OpaCommand, bases: Sequence[MutationEnvironment], only: str = ""
) -> list[FailOpenFinding]:
    """Return the findings for the author's requirements in files whose path contains `only`."""
    own = {path: tree.sources.files[path] for path in tree.sources.own}
    modules, _ = Parser(opa).parse(own, tree.root)
    literals = _literals([module.rules for module in modules], [base.data.get("own", {}) for base in bases])
    found = [each for each in discover(modules) if only in each.place]
    reads = read_sets(found, opa, tree.root)
    openings: list[FailOpenFinding] = []
    for each in found:
        for rule in _RULES:
            for at in sorted(_places(reads[each.name].get(rule, []), bases)):
                openings += _at(_Looking(tree, opa, each, rule), at, bases, literals)
    return sorted(openings)


def _literals(rules: Iterable[Any], own: Iterable[Any]) -> list[Any]:
    """Return the strings and numbers in the author's Rego and own data: values that a requirement may refuse."""
    written = [node.get("value") for rule in rules for node in walk(rule) if node.get("type") in {"string", "number"}]
    stated = [value for document in own for _, value in places(document)]
    known = list(dict.fromkeys(each for each in (*written, *stated) if isinstance(each, str | int)))
    chance = random.Random(_SEED)  # noqa: S311 - a fixed sample, no secret
    return known if len(known) <= _LITERALS else chance.sample(known, _LITERALS)


def _places(reads: Iterable[str], bases: Sequence[MutationEnvironment]) -> set[str]:
    """Return the read places that may be missing; for a read of all arguments, the arguments in scenarios."""
    found: set[str] = set()
    for read in reads:
        if read in {"input", "input.arguments"}:
            named = {name for base in bases for asked in base.asked for name in asked.get("arguments", {})}
            found |= {f"input.arguments.{name}" for name in named if "." not in name}
        elif read.startswith(_OWN):
            found.add(".".join(read.split(".")[:3]))
        elif read.startswith("input.") and not is_certain(read):
            found.add(read)
    return found


class _Looking(Struct, frozen=True):
    """One rule of one requirement, and the tree in which it is evaluated."""

    tree: StagedTree
    opa: OpaCommand
    found: RequirementDirectory
    rule: Rule

    def permitted(self, asked: Sequence[_Asked], *flags: str) -> set[int]:
        """Return the numbers of the variants that the rule permits; none if OPA does not answer."""
        roots = "\n\t".join(
            f'with data.{name} as object.get(each.data, "{name}", {{}})' for name in ROOTS if name != "mcp"
        )
        rule = f"data.mcp.requirements.{self.found.name}.{self.rule}"
        asking = f"some number, each in input\n\t{rule} with input as each.question\n\t{roots}"
        query = f"package asked\n\npermitted := [number |\n\t{asking}\n]\n"
        (self.tree.root / "asked.rego").write_text(query, encoding="utf-8")
        given = json.dumps([{"question": each.question, "data": each.data} for each in asked]).encode()
        common = ("--format=raw", "--stdin-input", "--data=asked.rego", "--data=mcp", "--ignore=*_test.rego")
        ran = self.opa.run("eval", *common, *flags, "data.asked.permitted", within=self.tree.root, stdin=given)
        (self.tree.root / "asked.rego").unlink()
        told = ran.report()
        return set(told) if ran.code == 0 and isinstance(told, list) else set()  # pyright: ignore[reportUnknownArgumentType]

    def surely(self, asked: Sequence[_Asked]) -> bool:
        """Return whether one of the first variants is permitted alone, with strict built-in errors."""
        return any(self.permitted([each], "--strict-builtin-errors") for each in asked[:3])

    def is_tested(self, guard: str) -> bool:
        """Return whether the tests fail if the rule also requires the guard: then a test covers the guarded case."""
        path = self._file()
        original = self.tree.sources.files[path].decode()
        renamed = re.sub(rf"^{self.rule}\b(?!_)", f"unguarded_{self.rule}", original, flags=re.MULTILINE)
        place = self.tree.root / path
        place.write_text(f"{renamed}\n{self.rule} if {{\n\tunguarded_{self.rule}\n\t{guard}\n}}\n", encoding="utf-8")
        try:
            chosen = f"--run=^data\\.mcp\\.requirements\\.{self.found.name}_test\\."
            return self.opa.run("test", "--timeout=30s", chosen, "mcp", within=self.tree.root).code == FAILED
        finally:
            place.write_text(original, encoding="utf-8")

    def opening(self, place: str, how: str) -> FailOpenFinding:
        """Return the finding, with the location of the first of the rules."""
        path = self._file()
        line = row(self.found.rules(self.rule)[0][1])
        return FailOpenFinding(self.tree.sources.origins.get(path, path), line, self.rule, place, how)

    def _file(self) -> str:
        return self.found.rules(self.rule)[0][0].path


def _at(
    looking: _Looking, place: str, bases: Sequence[MutationEnvironment], literals: Sequence[Any]
) -> Iterator[FailOpenFinding]:
    """Yield the findings for the rule at a place."""
    asked = list(_variants(place, bases, literals))
    permitted = looking.permitted(asked)
    refusing = {
        each.varied for number, each in enumerate(asked) if number not in permitted and each.value is not _ABSENT
    }
    open_ones = [each for number, each in enumerate(asked) if number in permitted and each.varied in refusing]
    reference = _reference(place)
    absent = [each for each in open_ones if each.value is _ABSENT]
    if absent and looking.surely(absent) and not looking.is_tested(f"count([1 | _ = {reference}]) > 0"):
        yield looking.opening(place, "is missing")
    if not is_untyped(place):
        return
    for _, group in itertools.groupby(open_ones, key=lambda each: each.varied):
        by_type: dict[str, list[_Asked]] = {}
        for each in group:
            if each.value is not _ABSENT and any(each.value is value for value in _VALUES):
                by_type.setdefault(_type(each.value), []).append(each)
        sure = [name for name, each in by_type.items() if len(by_type) > 1 and looking.surely(each)]
        untested = [
            name for name in sure if not looking.is_tested(f'count([1 | type_name({reference}) == "{name}"]) == 0')
        ]
        if len(sure) > 1 and untested:
            yield looking.opening(place, f"is {' or '.join(untested)}")
            return


def _variants(place: str, bases: Sequence[MutationEnvironment], literals: Sequence[Any]) -> Iterator[_Asked]:
    """Yield every question without the place, and with every value at the place."""
    values = (
        [_ABSENT, *_VALUES, *literals, *([each] for each in literals)] if is_untyped(place) else [_ABSENT, *literals]
    )
    varied = 0
    for base in bases:
        chance = random.Random(_SEED)  # noqa: S311 - a fixed sample, no secret
        known = questions(base.data)
        made = [*base.asked, *chance.sample(known, min(_ASKED, len(known)))]
        for question in made:
            for value in [*_kept(question, base.data, place), *values]:
                yield _varied(place, value, _Asked(varied, value, question, base.data))
            varied += 1


def _kept(question: Json, data: Json, place: str) -> list[Any]:
    """Return the original value of the place, if there is one."""
    root, *path = place.split(".")
    found: Any = question if root == "input" else data
    for key in path:
        found = found.get(key, _ABSENT) if is_object(found) else _ABSENT
    return [] if found is _ABSENT else [found]


def _varied(place: str, value: Any, asked: _Asked) -> _Asked:
    root, *path = place.split(".")
    if root == "input":
        return _Asked(asked.varied, value, _put(asked.question, path, value), asked.data)
    return _Asked(asked.varied, value, asked.question, _put(asked.data, path, value))


def _put(document: Any, path: Sequence[str], value: Any) -> Json:
    """Return the document with a value at a place, or without the place; create the objects on the path."""
    first, *rest = path
    inside: Json = document if is_object(document) else {}
    if rest:
        return {**inside, first: _put(inside.get(first), rest, value)}
    others = {key: each for key, each in inside.items() if key != first}
    return others if value is _ABSENT else {**others, first: value}


def _type(value: Any) -> str:
    """Return the Rego name of the type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case _:
            return "array" if isinstance(value, list) else "object"


def _reference(place: str) -> str:
    root, *path = place.split(".")
    return root + "".join(f"[{json.dumps(key)}]" for key in path)
