"""Find tests that cannot apply to any value that a target accepts at their path, such as `at_most` for a string.

Rule 1: with several targets, it is enough if the test can apply to a value of one of them.
Rule 2: of nested tests, only the outermost one that cannot apply is reported.
"""

from collections.abc import Sequence

from msgspec import Struct

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.argument_paths import ArgumentPaths
from gateway.policy.rules.argument_types import EVERY, Types, judged
from gateway.policy.rules.catalog_names import CatalogTarget
from gateway.policy.rules.rule_conditions import tests_of_condition


class MistypedTest(Struct, frozen=True):
    """A test that cannot apply: its JSON pointer from the rule, what is wrong, and what to do."""

    pointer: str
    what: str
    remedy: str


def mistyped(
    arguments: ArgumentPaths, pointer: str, condition: Json, targets: Sequence[CatalogTarget]
) -> MistypedTest | None:
    """Return the first test of a condition that cannot apply to any value that one of the targets accepts."""
    for test in tests_of_condition(pointer, condition) if targets else ():
        wanted = judged(test)
        possible = frozenset[str]().union(*(arguments.types(each, test.path, test.lists) for each in targets))
        if wanted != EVERY and not possible & wanted:
            where = f"an element of `{test.path}`" if test.lists else f"`{test.path}`"
            said = f"{where} of `{targets[0].name}` is {_either(possible)} in the pinned schema"
            remedy = f"Write a test for {_either(possible)}, or correct the path."
            return MistypedTest(test.pointer, f"{said}, but `{test.word}` applies to {_either(wanted)}", remedy)
    return None


def _either(types: Types) -> str:
    names = [name if name == "null" else f"{'an' if name[0] in 'ao' else 'a'} {name}" for name in sorted(types)]
    return " or ".join(names) or "nothing"
