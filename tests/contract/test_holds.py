"""A rule that holds some calls stops those calls until a person agrees, and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from gateway.policy.build import Content
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import failed

Write = Callable[[str, str], Path]
NOW: Final = 1_795_000_000.0
HOLD: Final = """
    rules:
      - rule: a-person-looks
        effect: hold
        what: {{servers: [demo], tools: [{tool}]}}
        reason: A person looks first.
        owner: files@example.com
    """
WITHOUT_TARGET: Final = ("initialize", "tools/list", "resources/list", "prompts/list", "server/discover", "stream/open")


@pytest.mark.parametrize("default", ["deny", "allow"])
@pytest.mark.parametrize("tool", ["delete_file", "read_file"])
def test_a_hold_on_some_calls_lets_everything_without_a_target_pass(
    put: Write, content: Callable[[], Content], opa: Path, repository: Path, tool: str, default: str
) -> None:
    """Beside permissions, and as the only rule of the environment."""
    environment = repository / "bundles/dev/environment.yaml"
    environment.write_text(environment.read_text().replace("default: deny", f"default: {default}"))
    if tool == "delete_file":
        (repository / "bundles/dev/rules/demo.yaml").unlink()
    put("bundles/dev/rules/hold.yaml", HOLD.format(tool=tool))
    lines = [
        f"  - {{scenario: {method}, agent: dev, server: demo, method: {method}, want: allow}}\n"
        for method in WITHOUT_TARGET
    ]
    called = f"agent: dev, server: demo, tool: {tool}, arguments: {{path: x}}"
    lines.append(f"  - {{scenario: held, {called}, want: hold, because: a-person-looks}}\n")
    put("bundles/dev/scenarios/demo.yaml", "scenarios:\n" + "".join(lines))
    assert [str(problem) for problem in failed(content(), OpaCommand(opa), NOW)] == []
