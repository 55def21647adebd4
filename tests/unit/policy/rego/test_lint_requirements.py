"""The lint rules for requirements: each refusal, and similar forms that are accepted."""

from pathlib import Path

import pytest

from gateway.policy.rego.impossible_literals import impossible
from gateway.policy.rego.lint_requirements import dangerous, malformed, unguarded
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_module import Module, Parser
from gateway.policy.rego.staged_requirements import RequirementDirectory
from gateway.policy.sources.problem import Problem

HEAD = "package mcp.requirements.x\n\nimport data.mcp.lib.call\nimport data.mcp.lib.own.mail as post\n\n"
FIRST = HEAD.count("\n") + 1


def module(opa: Path, scratch: Path, text: str) -> Module:
    (scratch / "x.rego").write_text(HEAD + text)
    modules, problems = Parser(OpaCommand(opa)).parse({"x.rego": (HEAD + text).encode()}, scratch)
    assert not problems, problems
    return modules[0]


def found(opa: Path, scratch: Path, text: str) -> RequirementDirectory:
    return RequirementDirectory("x", (module(opa, scratch, text),), ())


def lines(problems: list[Problem]) -> list[int]:
    return [problem.line - FIRST + 1 for problem in problems]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("met := true if input.server.id", "assigns a value"),
        ("met := 1", "assigns a value"),
        ("met := input.target.name == input.server.id", "assigns a value"),
        ('met := "yes" if input.server.id', "assigns a value"),
        ('met = "yes" if input.server.id', "assigns a value"),
        ("met := false", "assigns a value"),
        ("met = true", "is not written with `if`"),
        ("default met := false\n\nmet if true", "has a default"),
        ("default met := true", "has a default"),
        ("met if {\n\tinput.server.id\n} else := true", "has an `else`"),
        ("met contains 1 if true", "is a set or an object"),
        ('met["x"] := 1', "is a set or an object"),
        ("met.now if true", "is a set or an object"),
        ("met(x) if x == 1", "is a function"),
        ("met_by_arguments := input.arguments.ok", "assigns a value"),
    ],
)
def test_met_in_another_form_is_refused(opa: Path, tmp_path: Path, text: str, said: str) -> None:
    problems = list(malformed(found(opa, tmp_path, text)))
    assert problems
    assert said in problems[0].what


@pytest.mark.parametrize("text", ["met if true", 'met if {\n\tinput.server.id\n}\n\nmet if call.may("read")'])
def test_met_as_a_condition_is_accepted(opa: Path, tmp_path: Path, text: str) -> None:
    assert list(malformed(found(opa, tmp_path, text))) == []


@pytest.mark.parametrize(
    "body",
    [
        "every x in input.principal.groups { x }",
        "every x in input.principal.groups { x }\n\tcount(input.principal.scopes) > 0",
        "every x in input.principal.groups { x }\n\tcount(input.principal.groups) >= 0",
        "every x in input.principal.groups { x }\n\tnot count(input.principal.groups) > 0",
        "every x in input.principal.groups { x }\n\tcount(input.principal.groups) < 5",
        "every x in [] { x }",
        "every x in input.xs { x }\n\tcount(input.xs) > -1",
        "every x in input.xs { x }\n\tcount(input.xs) == 0",
        "every x in input.xs { x }\n\tcount(input.xs) != 2",
        "every x in input.xs { x }\n\t0 > count(input.xs)",
        "every x in input.xs { x }\n\tcount(input.xs) > input.least",
        "count([y | some y in input.xs; every x in y { x }]) > 0",
        "count(input.xs) > 0\n\tevery x in input.xs { every y in x { y } }",
    ],
)
def test_every_without_a_guard_against_emptiness_is_refused(opa: Path, tmp_path: Path, body: str) -> None:
    assert len(list(unguarded(module(opa, tmp_path, f"met if {{\n\t{body}\n}}")))) == 1


@pytest.mark.parametrize(
    "body",
    [
        "count(input.xs) > 0\n\tevery x in input.xs { x }",
        "count(input.xs) >= 1\n\tevery x in input.xs { x }",
        "count(input.xs) > 3\n\tevery x in input.xs { x }",
        "1 <= count(input.xs)\n\tevery x in input.xs { x }",
        "count(input.xs) == 2\n\tevery x in input.xs { x }",
        "0 < count(input.xs)\n\tevery x in input.xs { x }",
        "count(input.xs) != 0\n\tevery x in input.xs { x }",
        "input.xs != []\n\tevery x in input.xs { x }",
        "post.found != set()\n\tevery x in post.found { x }",
        "some x in input.xs\n\tevery y in input.xs { y == x }",
        'every x in ["a", "b"] { input[x] }',
        'xs := {"a": 1}\n\tevery x in xs { x }',
    ],
)
def test_an_every_with_a_guard_is_accepted(opa: Path, tmp_path: Path, body: str) -> None:
    assert list(unguarded(module(opa, tmp_path, f"met if {{\n\t{body}\n}}"))) == []


@pytest.mark.parametrize(
    "text",
    [
        'met_by_arguments if call.action != "send"',
        'met_by_arguments if not call.action == "send"',
        'met_by_arguments if not call.action in {"send", "write"}',
        'met if not input.target.type in ["tool"]',
        'met if "root" != input.principal.subject',
        'met if {\n\tcount([1 | post.kind != "x"]) > 0\n}',
    ],
)
def test_a_guard_that_names_what_is_dangerous_is_refused(opa: Path, tmp_path: Path, text: str) -> None:
    assert len(list(dangerous(found(opa, tmp_path, text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        'met_by_arguments if not call.may("send")',
        'met if call.action in {"read", "list"}',
        'met if input.target.type == "tool"',
        "met if count(input.principal.groups) != 0",
        'because contains "x" if call.action != "send"\n\nmet if true',
    ],
)
def test_a_guard_that_names_what_is_safe_is_accepted(opa: Path, tmp_path: Path, text: str) -> None:
    assert list(dangerous(found(opa, tmp_path, text))) == []


@pytest.mark.parametrize(
    ("condition", "never"),
    [
        ('input.message.era == "modrn"', "modrn"),
        ('"tol" == input.target.type', "tol"),
        ('input.target.type in {"tool", "resorce"}', "resorce"),
        ('input["phase"] == "lst"', "lst"),
        ('input.arguments_meta.schema != "mach"', "mach"),
        ('call.action == "sned"', "sned"),
        ('call.may("sned")', "sned"),
        ('not call.may("Send")', "Send"),
        ('input.context.time.weekday == "Friday"', "Friday"),
        ('count([1 | input.principal.kind == "robot"]) > 0', "robot"),
        ('data.mcp.lib.call.action == "sned"', "sned"),
        ('input.items[_].target.type == "tol"', "tol"),
    ],
)
def test_a_word_that_can_never_be_there_is_refused(opa: Path, tmp_path: Path, condition: str, never: str) -> None:
    problems = list(impossible(module(opa, tmp_path, f"met if {condition}")))
    assert len(problems) == 1
    assert f"`{never}`" in problems[0].what
    assert lines(problems) == [1]


@pytest.mark.parametrize(
    "condition",
    ['input.message.era == "modern"', 'call.may("unknown")', 'input.target.name == "sned"', 'post.kind == "sned"'],
)
def test_words_that_can_be_there_are_accepted(opa: Path, tmp_path: Path, condition: str) -> None:
    assert list(impossible(module(opa, tmp_path, f"met if {condition}"))) == []
