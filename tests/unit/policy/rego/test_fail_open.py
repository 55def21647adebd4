"""Requirements that permit what is missing are found through helpers and packages; closed ones are accepted."""

from pathlib import Path

import pytest

from gateway.policy.rego.fail_open import fail_open
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_module import Parser
from gateway.policy.rego.staged_requirements import discover
from gateway.policy.sources.problem import Problem
from tests.unit.policy.rego.forms_of_requirements import CLOSED, HEAD, LIBRARY, OPEN

MINE = "mcp/requirements/x/x.rego"
THEIRS = "mcp/lib/own/mail/mail.rego"


def looked(opa: Path, scratch: Path, text: str) -> list[Problem]:
    files = {MINE: HEAD + text + "\n", THEIRS: LIBRARY}
    for path, content in files.items():
        (scratch / path).parent.mkdir(parents=True)
        (scratch / path).write_text(content)
    modules, problems = Parser(OpaCommand(opa)).parse({path: each.encode() for path, each in files.items()}, scratch)
    assert not problems, problems
    return fail_open(discover(modules), modules)


@pytest.mark.parametrize("name", OPEN)
def test_a_requirement_that_permits_what_is_missing_is_found(opa: Path, tmp_path: Path, name: str) -> None:
    problems = looked(opa, tmp_path, OPEN[name])
    assert problems
    assert all(each.file in {MINE, THEIRS} and each.line and each.remedy for each in problems), problems


@pytest.mark.parametrize("name", CLOSED)
def test_a_requirement_that_refuses_what_is_missing_is_accepted(opa: Path, tmp_path: Path, name: str) -> None:
    assert looked(opa, tmp_path, CLOSED[name]) == []
