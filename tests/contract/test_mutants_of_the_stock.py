"""No change of the stock library that no test notices lets pass what it refuses: a fixed sample of `make mutants`."""

import os
from pathlib import Path

import pytest

from gateway.authoring.mutation import MutationReport, MutationRun, base_of
from gateway.library import library
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.checking import environments
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.sources.problem import Problem

NOW = 1_795_000_000.0
SAMPLE = 150


@pytest.fixture
def hunt(checkout: Path, verified: Path, opa: Path) -> MutationRun:
    builder = Builder(verified, opa)
    contents = [builder.content(PolicySource(checkout, name), NOW) for name in environments(checkout)]
    bases = [base_of(content) for content in contents if isinstance(content, Content)]
    assert len(bases) == len(contents)
    return MutationRun(
        opa=OpaCommand(opa), policy=checkout, stock=library(), bases=bases, jobs=os.cpu_count() or 1, sample=SAMPLE
    )


def test_no_change_of_a_sample_loosens_a_decision_unnoticed(hunt: MutationRun) -> None:
    told: list[tuple[int, int]] = []
    report = hunt.run(lambda done, of: told.append((done, of)))
    assert isinstance(report, MutationReport), report
    assert [f"{each.mutant.path}:{each.mutant.line}: {each.mutant.change}" for each in report.loosening] == []
    assert told == [(done, SAMPLE) for done in range(1, SAMPLE + 1)]
    assert report.mutants + report.unbuildable == SAMPLE
    assert report.killed + len(report.survivors) == report.mutants
    assert report.killed > SAMPLE * 3 // 4


def test_a_library_whose_tests_fail_is_not_mutated(tmp_path: Path, checkout: Path, opa: Path) -> None:
    place = tmp_path / "rego" / "mcp" / "lib" / "own" / "x"
    place.mkdir(parents=True)
    (place / "x.rego").write_text("package mcp.lib.own.x\n\none := 1\n")
    (place / "x_test.rego").write_text(
        "package mcp.lib.own.x_test\n\nimport data.mcp.lib.own.x\n\ntest_it if x.one == 2\n"
    )
    failing = MutationRun(opa=OpaCommand(opa), policy=tmp_path, stock=library(), bases=[], jobs=1)
    told = failing.run(lambda done, of: None)
    remedy = "Run `mcp-admission check` and fix them."
    assert told == [Problem("rego", 0, "its tests fail without any mutation.", remedy)]
