"""Data classes with the real OPA: what an agent is not cleared for is refused, hidden, recorded, and said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from click.testing import Result

from gateway.admission.decision import Decision
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.policy.build import Content
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking
from gateway.policy.scenario_question import acting, asked, question
from tests.recorded import records, write

Write = Callable[[str, str], Path]
Run = Callable[..., Result]
ENVIRONMENT: Final = """
    name: dev
    data_classes: {classes: [customer-pii, source-code, internal-general], unclassified: internal-general}
    """
AGENT: Final = """
    agent: dev
    owner: you@example.com
    purpose: Tests
    kind: claude-code
    anonymous: true
    clearance: [%s]
    """
SCENARIO: Final = "scenarios: [{scenario: lists, agent: dev, server: demo, method: tools/list, want: allow}]\n"
RULE: Final = "rules:\n  - {rule: x, effect: %s, what: %s, reason: r, owner: o}\n"
CATALOG: Final = """
    server: demo
    title: Demo
    url: http://127.0.0.1:8931/mcp
    owner: you@example.com
    tools:
      find: {action: read, data: [customer-pii], reach: internal}
      mail: {action: read, data: [customer-pii], reach: external}
      code: {action: read, data: [source-code, customer-pii]}
      plain: {action: read}
    """


@pytest.fixture
def classified(put: Write) -> Write:
    put("bundles/dev/environment.yaml", ENVIRONMENT)
    put("bundles/dev/catalog/demo.yaml", CATALOG)
    put("bundles/dev/rules/demo.yaml", RULE % ("allow", "{servers: [demo]}"))
    put("bundles/dev/scenarios/demo.yaml", SCENARIO)
    put("bundles/dev/agents/dev.yaml", AGENT % "customer-pii, internal-general")
    return put


@pytest.fixture
def decide(classified: Write, content: Callable[[], Content], opa: Path) -> Callable[..., dict[str, Decision]]:
    del classified

    def decided(*tools: str) -> dict[str, Decision]:
        made = content()
        agents = made.environment.agents_by_id()
        stated = [asked({"agent": "dev", "server": "demo", "tool": tool}, now=1_795_183_200.0) for tool in tools]
        chosen = [acting(each, agents) for each in stated]
        questions = [question(each, one, made.data) for each, one in zip(stated, chosen, strict=True)]
        answers = asking(made, OpaCommand(opa), chosen).answers(questions)
        assert all(isinstance(answer, Decision) for answer in answers), answers
        return {tool: answer for tool, answer in zip(tools, answers, strict=True) if isinstance(answer, Decision)}

    return decided


Decide = Callable[..., dict[str, Decision]]


def outcomes(decided: dict[str, Decision]) -> dict[str, str]:
    return {tool: decision.outcome for tool, decision in decided.items()}


def test_an_agent_uses_only_what_it_is_cleared_for_in_every_class(decide: Decide) -> None:
    decided = decide("find", "mail", "code", "plain")
    assert outcomes(decided) == {"find": "allow", "mail": "allow", "code": "deny", "plain": "allow"}
    (reason,) = decided["code"].reasons
    assert reason.requirement == "agent_is_cleared"
    assert reason.message == "Agent `dev` is not cleared for the data class `source-code` of tool `code`"


def test_what_is_not_classified_needs_clearance_too(decide: Decide, put: Write) -> None:
    put("bundles/dev/agents/dev.yaml", AGENT % "customer-pii")
    assert outcomes(decide("find", "plain")) == {"find": "allow", "plain": "deny"}


def test_an_unlisted_target_is_refused_for_that_alone(decide: Decide) -> None:
    (reason,) = decide("gone")["gone"].reasons
    assert reason.requirement == "target_is_listed"


def test_an_environment_without_classes_asks_for_no_clearance(decide: Decide, put: Write) -> None:
    put("bundles/dev/environment.yaml", "name: dev\n")
    put(
        "bundles/dev/catalog/demo.yaml",
        "server: demo\nurl: http://127.0.0.1:1/mcp\nowner: o\ntools: {plain: {action: read}}\n",
    )
    put("bundles/dev/agents/dev.yaml", AGENT.replace("clearance: [%s]", ""))
    decided = decide("plain")
    assert outcomes(decided) == {"plain": "allow"}
    assert decided["plain"].resolved.data is None


@pytest.mark.parametrize(
    ("what", "refused"),
    [
        ("{data: [customer-pii]}", {"find", "mail"}),
        ("{data: [customer-pii], reach: external}", {"mail"}),
        ("{data: [internal-general]}", {"plain"}),
        ("{reach: external}", {"mail", "plain"}),
        ("{reach: internal}", {"find", "plain"}),
        ("{tools: [find, plain], data: [customer-pii]}", {"find"}),
    ],
)
def test_a_deny_refuses_what_it_may_be_about(decide: Decide, put: Write, what: str, refused: set[str]) -> None:
    put(
        "bundles/dev/rules/fence.yaml",
        f"rules:\n  - {{rule: fence, effect: deny, what: {what}, reason: r, owner: o}}\n",
    )
    decided = outcomes(decide("find", "mail", "plain"))
    assert {tool for tool, outcome in decided.items() if outcome == "deny"} == refused


@pytest.mark.parametrize(
    ("what", "permitted"),
    [
        ("{data: [customer-pii]}", {"find", "mail"}),
        ("{data: [customer-pii, source-code]}", {"find", "mail", "code"}),
        ("{data: [source-code]}", set[str]()),
        ("{data: [customer-pii], reach: internal}", {"find"}),
        ("{reach: external}", {"mail"}),
        ("{servers: [demo], data: [internal-general]}", {"plain"}),
    ],
)
def test_an_allow_permits_what_it_surely_is_about(decide: Decide, put: Write, what: str, permitted: set[str]) -> None:
    put("bundles/dev/agents/dev.yaml", AGENT % "customer-pii, source-code, internal-general")
    put("bundles/dev/rules/demo.yaml", RULE % ("allow", what))
    decided = outcomes(decide("find", "mail", "code", "plain"))
    assert {tool for tool, outcome in decided.items() if outcome == "allow"} == permitted


def test_ask_says_what_the_target_holds(classified: Write, repository: Path, run: Run) -> None:
    del classified
    told = run("ask", "-d", repository, "--agent", "dev", "--server", "demo", "--tool", "code")
    assert "the target has data of class customer-pii, source-code, of unknown reach" in told.stdout
    told = run("ask", "-d", repository, "--agent", "dev", "--server", "demo", "--tool", "mail", "--json")
    resolved = json.loads(told.stdout)["decision"]["resolved"]
    assert (resolved["data"], resolved["reach"]) == (["customer-pii"], "external")


def test_explain_says_what_the_target_holds_and_which_clearance_would_do(
    classified: Write, content: Callable[[], Content], opa: Path, run: Run, tmp_path: Path
) -> None:
    del classified
    made = content()
    journal = write(tmp_path / "journal", records(made, opa, [{"tool": "code"}, {"tool": "mail"}]))
    bundle = tmp_path / "bundle.tar.gz"
    bundle.write_bytes(pack(made.files, BundleMetadata(environment="dev", seq=1), key=None).content)
    told = run("explain", "call-0", "--journal", journal, "--bundle", bundle)
    assert told.exit_code == 0, told.output
    assert "the target has data of class customer-pii, source-code, of unknown reach" in told.stdout
    assert "clear agent dev for data of class source-code" in told.stdout
    told = run("explain", "call-1", "--journal", journal, "--bundle", bundle, "--json")
    explanation: dict[str, Any] = json.loads(told.stdout)["explanation"]
    assert (explanation["data"], explanation["reach"]) == (["customer-pii"], "external")


def test_a_decision_of_an_earlier_policy_says_nothing_of_data() -> None:
    earlier: dict[str, Any] = {
        "schema": "mcp.decision/v1",
        "outcome": "deny",
        "reasons": [],
        "grounds": [],
        "resolved": {"pin": "match"},
    }
    resolved = msgspec.convert(earlier, Decision).resolved
    assert (resolved.data, resolved.reach) == (None, None)
