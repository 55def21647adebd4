"""A bundle is valid only after a real OPA has loaded it and refused a call that must never be allowed."""

from collections.abc import Callable
from pathlib import Path

from gateway.policy.build import Builder, PolicySource
from gateway.policy.rego.opa_cli import OpaCommand, complaints
from gateway.policy.sources.problem import Problem, Problems

NOW = 1_795_000_000.0
Put = Callable[[str, str], Path]


def refused(builder: Builder, source: PolicySource) -> list[Problem]:
    result = builder.build(source, NOW)
    assert isinstance(result, Problems), result
    return list(result.problems)


def test_a_pattern_that_opa_cannot_compile_is_refused_at_its_line(
    builder: Builder, source: PolicySource, put: Put
) -> None:
    put(
        "bundles/dev/rules/more.yaml",
        "rules:\n  - rule: r\n    effect: deny\n    arguments:\n"
        "      - {path: /a, matches: '^a+$'}\n      - {path: /b, matches: '(?=a)'}\n    reason: x\n",
    )
    assert [(problem.file, problem.line) for problem in refused(builder, source)] == [
        ("bundles/dev/rules/more.yaml", 6)
    ]


def test_a_policy_that_admits_everybody_is_refused(builder: Builder, source: PolicySource, stock: Path) -> None:
    combiner = stock / "mcp/admission/combiner.rego"
    combiner.write_text(combiner.read_text().replace('default outcome := "deny"', 'default outcome := "allow"'))
    (problem,) = refused(builder, source)
    assert "answers a canary question with" in problem.what
    assert "must end in `deny`" in problem.remedy


def test_a_policy_without_a_decision_is_refused(builder: Builder, source: PolicySource, stock: Path) -> None:
    combiner = stock / "mcp/admission/combiner.rego"
    combiner.write_text(combiner.read_text().replace("decision :=", "verdict :="))
    assert "answers a canary question with []" in refused(builder, source)[0].what


def test_a_policy_that_ends_in_an_error_is_refused(builder: Builder, source: PolicySource, stock: Path) -> None:
    combiner = stock / "mcp/admission/combiner.rego"
    combiner.write_text(combiner.read_text() + '\noutcome := "hold" if true\n\noutcome := "deny" if true\n')
    assert "the packed bundle cannot be loaded" in refused(builder, source)[0].what


def test_an_opa_that_does_not_start_is_reported(tmp_path: Path, source: PolicySource, stock: Path) -> None:
    absent = tmp_path / "opa"
    absent.write_text("#!/bin/sh\nexit 3\n")
    absent.chmod(0o755)
    problems = refused(Builder(tmp_path / "state", absent, stock=stock), source)
    assert all("OPA failed: exit code 3" in problem.what for problem in problems)


def test_an_opa_that_hangs_is_given_up(tmp_path: Path) -> None:
    slow = tmp_path / "opa"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    ran = OpaCommand(slow, deadline_s=0.05).run("check", within=tmp_path)
    assert [problem.what for problem in complaints(ran)] == ["OPA failed: opa check took longer than 0.05 s"]
