"""Scenarios and questions are decided by the real OPA, and a scenario that ends otherwise is told at its line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.policy.build import Content
from gateway.policy.packed_bundle_answers import NoDecision
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking, failed
from gateway.policy.scenario_question import acting, asked, question

Write = Callable[[str, str], Path]
NOW = 1_795_000_000.0
DIGEST, PART = "a" * 64, "b" * 64

AGENTS = f"""
    agents:
      - agent: keyed
        owner: o
        purpose: p
        kind: own
        tokens:
          - {{sha256: "{"1" * 64}", holder: h, expires: "2026-01-01T00:00:00Z"}}
          - {{sha256: "{"2" * 64}", holder: current holder, expires: "2027-01-01T00:00:00Z"}}
      - {{agent: client, owner: o, purpose: p, kind: own, identities: [{{issuer: https://i, client_id: c}}]}}
      - {{agent: team, owner: o, purpose: p, kind: own, identities: [{{issuer: https://i, group: g}}]}}
      - {{agent: person, owner: o, purpose: p, kind: own, identities: [{{issuer: https://i, subject: s}}]}}
      - {{agent: bare, owner: o, purpose: p, kind: own}}
      - {{agent: late, owner: o, purpose: p, kind: own, expires: "2026-01-01T00:00:00Z"}}
    """


@pytest.fixture
def told(put: Write, content: Callable[[], Content], opa: Path) -> Callable[[str], list[tuple[int, str]]]:
    """(line, problem) for each scenario that fails."""

    def run(text: str) -> list[tuple[int, str]]:
        put("bundles/dev/scenarios/demo.yaml", "scenarios:\n" + text)
        return [(problem.line, str(problem)) for problem in failed(content(), OpaCommand(opa), NOW)]

    return run


Told = Callable[[str], list[tuple[int, str]]]
READ = "agent: dev, server: demo, tool: read_file, arguments: {path: welcome.md}"


def test_the_demo_ends_as_its_scenarios_say(content: Callable[[], Content], opa: Path) -> None:
    assert failed(content(), OpaCommand(opa), NOW) == []


def test_another_outcome_is_told_with_its_reasons(told: Told) -> None:
    ((line, said),) = told(
        f"  - {{scenario: read, {READ}, want: allow}}\n"
        "  - scenario: delete\n    agent: dev\n    server: demo\n    tool: delete_file\n    want: allow\n"
    )
    assert line == 7
    assert "ends in deny, not allow" in said
    assert "demo-files-are-kept" in said


def test_another_ground_is_told(told: Told) -> None:
    ((line, said),) = told(f"  - {{scenario: read, {READ}, want: allow,\n     because: demo-files-are-kept}}\n")
    assert line == 3
    assert "not because of `demo-files-are-kept`, but of demo-may-be-read" in said


@pytest.mark.parametrize("agent", ["keyed", "client", "team", "person", "bare"])
def test_every_agent_can_act(told: Told, put: Write, agent: str) -> None:
    put("bundles/dev/agents/more.yaml", AGENTS)
    assert told(f"  - {{scenario: x, {READ.replace('agent: dev', f'agent: {agent}')}, want: allow}}\n") == []


@pytest.mark.parametrize(("agent", "because"), [("late", "agent_is_registered"), ("nobody", "agent_is_registered")])
def test_who_is_no_agent_is_refused(told: Told, put: Write, agent: str, because: str) -> None:
    put("bundles/dev/agents/more.yaml", AGENTS)
    scenario = READ.replace("agent: dev", f"agent: {agent}")
    assert told(f"  - {{scenario: x, {scenario}, want: deny, because: {because}}}\n") == []


def test_how_the_agent_acts_is_said(put: Write, content: Callable[[], Content]) -> None:
    put("bundles/dev/agents/more.yaml", AGENTS)
    agents = content().environment.agents_by_id()
    said = {
        name: acting(asked({"agent": name, "server": "demo", "tool": "x"}, now=NOW), agents).how
        for name in ("keyed", "client", "dev", "bare")
    }
    assert said == {
        "keyed": "with the token that current holder holds",
        "client": "with a JWT of https://i",
        "dev": "without a credential, as the anonymous agent",
        "bare": "with a token made up for this question (the agent has none)",
    }


PINNED = f"""
    server: pinned
    url: http://127.0.0.1:1/mcp
    owner: o
    definition_drift: {{description: allow}}
    tools:
      t:
        action: read
        pin: {{sha256: "{DIGEST}", parts: {{description: "{PART}", inputSchema: "{PART}", annotations: "{PART}"}}}}
    """
RULE = "rules:\n  - {rule: pinned, effect: allow, reason: x, owner: a@example.com, what: {servers: [pinned]}}\n"


@pytest.mark.parametrize(
    ("definition", "want"),
    [
        ("pinned", "allow"),
        ("unseen", "deny"),
        ("{drifted: [schema]}", "deny"),
        ("{drifted: [annotations]}", "deny"),
        ("{drifted: [added]}", "deny"),
        ("{drifted: [removed]}", "deny"),
        ("{drifted: [description]}", "allow"),
        ("{drifted: [description, schema]}", "deny"),
    ],
)
def test_the_definition_is_pinned_unseen_or_drifted(told: Told, put: Write, definition: str, want: str) -> None:
    put("bundles/dev/catalog/pinned.yaml", PINNED)
    put("bundles/dev/rules/pinned.yaml", RULE)
    because = "" if want == "allow" else ", because: definition_is_unchanged"
    scenario = f"agent: dev, server: pinned, tool: t, definition: {definition}, want: {want}{because}"
    assert told(f"  - {{scenario: x, {scenario}}}\n") == []


def test_a_drift_without_a_pin_is_told(told: Told) -> None:
    ((line, said),) = told(f"  - {{scenario: x, {READ}, definition: {{drifted: [schema]}}, want: deny}}\n")
    assert line == 2
    assert "states a drift, but its target is not pinned" in said


def test_time_is_what_the_scenario_says(told: Told, put: Write) -> None:
    put(
        "bundles/dev/rules/hours.yaml",
        'rules:\n  - {rule: nights, effect: deny, reason: x, when: {hours: "18:00-08:00", time_zone: Europe/Zurich}}\n',
    )
    night, day = "2026-11-20T22:00:00Z", "2026-11-20T10:00:00+00:00"
    assert told(f'  - {{scenario: a, {READ}, at: "{night}", want: deny, because: nights}}\n') == []
    assert told(f'  - {{scenario: a, {READ}, at: "{day}", want: allow}}\n') == []


@pytest.mark.parametrize("method", ["initialize", "tools/list", "server/discover", "resources/list"])
def test_methods_without_a_target_can_be_asked(told: Told, method: str) -> None:
    assert told(f"  - {{scenario: x, agent: dev, server: demo, method: {method}, want: allow}}\n") == []


def test_what_a_server_asks_of_the_client_can_be_asked(told: Told) -> None:
    scenario = (
        "agent: dev, server: demo, method: sampling/createMessage, want: deny, because: server_requests_are_agreed"
    )
    assert told(f"  - {{scenario: x, {scenario}}}\n") == []


def test_an_evaluation_error_is_told_for_its_scenario_alone(told: Told, put: Write) -> None:
    put(
        "rego/mcp/requirements/names_are_short/names_are_short.rego",
        """
        # METADATA
        # title: Names are short
        # description: Fails to evaluate for a path that is no expression.
        # custom: {severity: low, remedy: None.}
        package mcp.requirements.names_are_short

        met := true

        met_by_arguments if regex.match(input.arguments.path, "welcome.md")
        """,
    )
    put(
        "rego/mcp/requirements/names_are_short/names_are_short_test.rego",
        """
        package mcp.requirements.names_are_short_test

        import data.mcp.requirements.names_are_short

        test_it if names_are_short.met_by_arguments with input as {"arguments": {"path": "w"}}
        """,
    )
    failing = told(
        f"  - {{scenario: fine, {READ}, want: allow}}\n"
        "  - {scenario: odd, agent: dev, server: demo, tool: read_file, arguments: {path: '['}, want: deny}\n"
    )
    assert [line for line, _ in failing] == [3]
    assert "has no answer" in failing[0][1]


def test_no_question_needs_no_opa(content: Callable[[], Content], tmp_path: Path) -> None:
    assert asking(content(), OpaCommand(tmp_path / "absent"), []).answers([]) == []


def test_an_opa_that_does_not_start_is_no_decision(content: Callable[[], Content], tmp_path: Path) -> None:
    found = content()
    stated = asked({"agent": "dev", "server": "demo", "tool": "read_file"}, now=NOW)
    chosen = acting(stated, found.environment.agents_by_id())
    (answer,) = asking(found, OpaCommand(tmp_path / "absent"), []).answers([question(stated, chosen, found.data)])
    assert isinstance(answer, NoDecision)
    assert "did not start" in answer.why
