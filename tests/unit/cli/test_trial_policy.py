"""The policy of `mcp-admission try` is complete and editable, and never overwrites a person's edits."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import trial_policy
from gateway.cli.catalog.server_listing import listed
from gateway.cli.catalog.survey import Survey
from gateway.opa.binary import find
from gateway.policy.build import Builder, Built, PolicySource

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _trial(*, observe: bool = False, credential: bool = False) -> trial_policy.Trial:
    tool: dict[str, Any] = {"name": "read_x", "inputSchema": {"type": "object"}}
    lists: dict[str, list[dict[str, Any]]] = {
        "tools/list": [tool],
        "prompts/list": [],
        "resources/list": [],
        "resources/templates/list": [],
    }
    survey = Survey(url="http://127.0.0.1:1/mcp", revision="2025-11-25", name="X", title="", version="1", lists=lists)
    things, _ = listed(survey)
    return trial_policy.Trial(
        server="x", url=survey.url, title="X", things=things, observe=observe, credential=credential
    )


@pytest.mark.parametrize("observe", [False, True])
def test_the_policy_of_a_trial_builds(tmp_path: Path, *, observe: bool) -> None:
    opa = find()
    assert opa is not None
    trial_policy.write(_trial(observe=observe, credential=True), tmp_path, NOW)
    built = Builder(tmp_path / "state", opa).build(PolicySource(tmp_path, trial_policy.ENVIRONMENT), NOW.timestamp())
    assert isinstance(built, Built), built


def test_a_trial_that_is_kept_goes_on_as_it_was_edited(tmp_path: Path) -> None:
    environment = trial_policy.write(_trial(), tmp_path, NOW)
    rules = environment / "rules" / "trial.yaml"
    rules.write_text("rules: []\n", encoding="utf-8")
    trial_policy.write(_trial(), tmp_path, NOW)
    assert rules.read_text(encoding="utf-8") == "rules: []\n"


@pytest.mark.parametrize(("name", "wanted"), [("My Server!", "my-server"), ("..", "server"), ("a" * 99, "a" * 40)])
def test_a_servers_own_name_becomes_a_plain_id(name: str, wanted: str) -> None:
    assert trial_policy.identifier(name) == wanted
