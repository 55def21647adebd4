"""The callers of golden questions come from the bundle, as in its source documents."""

from pathlib import Path

import pytest

from gateway.policy.golden import read_golden, registered
from gateway.policy.rules.policy_data import bundle_data
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment, EnvironmentReader


@pytest.mark.parametrize("name", ["dev", "examples", "production"])
def test_tokens_and_identities_are_those_of_the_documents(checkout: Path, name: str) -> None:
    environment = EnvironmentReader().read(checkout, name)
    assert isinstance(environment, Environment)
    found = registered(bundle_data(environment, {}))
    written = environment.agents_by_id()
    assert found.keys() == written.keys()
    for agent, entry in written.items():
        assert found[agent]["tokens"] == entry.get("tokens", [])
        assert found[agent]["identities"] == entry.get("identities", [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("scenarios: [", 1),
        ("rules: []\n", 1),
        ("scenarios:\n  - {scenario: a, agent: b, server: c, tool: d, want: perhaps}\n", 2),
    ],
)
def test_an_invalid_scenario_is_reported_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "golden.yaml").write_text(text)
    found = read_golden(tmp_path / "golden.yaml")
    assert not isinstance(found, Document)
    assert {problem.line for problem in found} == {line}


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    found = read_golden(tmp_path / "absent.yaml")
    assert not isinstance(found, Document)
    assert "cannot be read" in found[0].what
