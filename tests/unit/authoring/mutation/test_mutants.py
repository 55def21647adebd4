"""The mutants of a Rego file: each kind of change, its location, and the parts that are never changed."""

from pathlib import Path

import pytest

from gateway.authoring.mutation.mutants import Mutant, mutants
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_module import Module, Parser

HEAD = "package mcp.lib.own.x\n\n"


def module(opa: Path, scratch: Path, text: str, name: str = "x.rego") -> Module:
    (scratch / name).write_text(HEAD + text)
    modules, problems = Parser(OpaCommand(opa)).parse({name: (HEAD + text).encode()}, scratch)
    assert not problems, problems
    return modules[0]


def made(opa: Path, scratch: Path, text: str) -> list[Mutant]:
    return mutants(module(opa, scratch, text), HEAD + text)


def changed(opa: Path, scratch: Path, text: str, kind: str) -> list[str]:
    """Return the texts of the file after each mutant of a kind."""
    return [
        each.applied(HEAD + text).removeprefix(HEAD).rstrip() for each in made(opa, scratch, text) if each.kind == kind
    ]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("a if input.x", "deletion", ["a if true"]),
        ("a if input.x", "negation", ["a if not input.x"]),
        ("a if not input.x", "negation", ["a if input.x"]),
        ("a if input.x", "clause", ["a if false"]),
        ("a if {\n\tinput.x\n\tinput.y\n}", "clause", ["a if {\n\tfalse; input.x\n\tinput.y\n}"]),
        ('a := "x" if input.x else := "y"', "clause", ['a := "x" if false else := "y"', 'a := "x" if input.x']),
        ("a if input.x == 1", "comparison", ["a if input.x != 1"]),
        ("a if input.x < 1", "comparison", ["a if input.x <= 1", "a if input.x >= 1"]),
        ("a if count(input.x) >= 1", "comparison", ["a if count(input.x) < 1", "a if count(input.x) > 1"]),
        ("a if input.x < 7", "number", ["a if input.x < 6", "a if input.x < 8"]),
        ("a if input.x == false", "constant", ["a if input.x == true"]),
        ("a := true", "constant", ["a := false"]),
        ('a if input.x in {"p", "q"}', "element", ['a if input.x in { "q"}', 'a if input.x in {"p"}']),
        ('a if input.x in {"p"}', "element", ["a if input.x in set()"]),
        ('a if input.x in ["p"]', "element", ["a if input.x in []"]),
        ("a := b | c\n\nb := {1}\n\nc := {2}", "operand", [f"a := {one}\n\nb := {{1}}\n\nc := {{2}}" for one in "bc"]),
    ],
)
def test_each_kind_of_change_is_made(opa: Path, tmp_path: Path, text: str, kind: str, expected: list[str]) -> None:
    assert sorted(changed(opa, tmp_path, text, kind)) == sorted(expected)


def test_bodies_of_every_kind_are_changed(opa: Path, tmp_path: Path) -> None:
    text = "a := {x | some x in input.x; x > 1} if {\n\tevery y in input.y { y == 2 }\n} else := [x | x := 3; x != 4]"
    deleted = changed(opa, tmp_path, text, "deletion")
    assert [line for line in ("x > 1", "y == 2", "x != 4") if not any(line not in each for each in deleted)] == []


@pytest.mark.parametrize(
    "text", ["a if { x := input.x; x }", "a if { some x in input.x; x }", "a if every x in input.x { x == 1 }"]
)
def test_a_declaration_of_a_variable_is_kept(opa: Path, tmp_path: Path, text: str) -> None:
    assert all("not some" not in each and "not every" not in each for each in changed(opa, tmp_path, text, "negation"))
    assert all("x" in each for each in changed(opa, tmp_path, text, "negation"))


def test_a_long_list_of_strings_has_three_mutants(opa: Path, tmp_path: Path) -> None:
    words = ", ".join(f'"w{number:02}"' for number in range(40))
    found = [each for each in made(opa, tmp_path, f"a := {{{words}}}") if each.kind == "element"]
    assert [each.was for each in found] == ['"w00",', '"w20",', ', "w39"']


def test_metadata_comments_and_tests_are_not_changed(opa: Path, tmp_path: Path) -> None:
    text = "# METADATA\n# custom: {number: 3, flag: true}\na if input.x # not 7\n"
    assert {each.line for each in made(opa, tmp_path, text)} == {5}
    assert mutants(module(opa, tmp_path, "test_a if true == true", "x_test.rego"), HEAD) == []


def test_mutants_have_their_lines_and_are_unique_and_in_file_order(opa: Path, tmp_path: Path) -> None:
    text = 'a if input.x\n\nb := "p" if {\n\ta\n} else := "q" if {\n\tinput.y != "ü"\n\tinput.z\n}\n'
    found = made(opa, tmp_path, text)
    assert found == sorted(found)
    assert len({(each.start, each.end, each.now) for each in found}) == len(found)
    assert {each.line for each in found if each.was.startswith("input.z")} == {9}
    assert [each.change for each in found if each.line == 3] == [
        "clause: `input.x` -> `false`",
        "deletion: `input.x` -> `true`",
        "negation: `input.x` -> `not input.x`",
    ]
