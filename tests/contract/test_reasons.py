"""The reasons of a refusal say what failed, once, in words that cannot be read as their opposite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result

from gateway.admission.decision import Decision
from gateway.admission.refusal_contacts import owners
from gateway.policy.build import Content
from gateway.policy.packed_bundle_answers import Ruled
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking
from gateway.policy.scenario_question import acting, asked, question

Write = Callable[[str, str], Path]
Run = Callable[..., Result]
NOW: Final = 1_795_000_000.0
MORE: Final = f"""
    server: more
    url: http://127.0.0.1:1/mcp
    owner: more@example.com
    tools:
      mystery: {{}}
      pinned: {{action: read, pin: {{sha256: "{"a" * 64}", parts: {{description: "{"b" * 64}"}}}}}}
    """
AGENTS: Final = """
    agents:
      - {agent: narrow, owner: narrow@example.com, purpose: p, kind: own, scope: {servers: ["*"], actions: [read]}}
      - {agent: late, owner: late@example.com, purpose: p, kind: own, expires: "2026-01-01T00:00:00Z"}
    """


@pytest.fixture
def refused(put: Write, content: Callable[[], Content], opa: Path) -> Callable[..., list[Ruled]]:
    """What the gateway makes of questions to the demo with another server and agents."""
    put("bundles/dev/catalog/more.yaml", MORE)
    put("bundles/dev/agents/more.yaml", AGENTS)

    def run(*entries: dict[str, Any]) -> list[Ruled]:
        made = content()
        agents = made.environment.agents_by_id()
        stated = [asked({"agent": "dev", "server": "demo", **entry}, now=NOW) for entry in entries]
        chosen = [acting(each, agents) for each in stated]
        pairs = zip(stated, chosen, strict=True)
        questions = [question(each, who, made.data) for each, who in pairs]
        return asking(made, OpaCommand(opa), chosen).rulings(questions)

    return run


Refused = Callable[..., list[Ruled]]
UNKNOWN_TOOL: Final = {"tool": "no_such_tool", "definition": "unseen"}
UNKNOWN_ACTION: Final = {"server": "more", "tool": "mystery"}
OTHERS: Final[tuple[dict[str, Any], ...]] = (
    UNKNOWN_TOOL,
    {"tool": "no_such_tool"},
    {"prompt": "no_such_prompt"},
    {"resource": "nothing://here"},
    {"server": "no_such_server", "tool": "x"},
    {"server": "no_such_server", "method": "initialize"},
    {"agent": "no_such_agent", "tool": "read_file", "arguments": {"path": "a"}},
    {"agent": "late", "method": "initialize"},
    {"agent": "narrow", **UNKNOWN_ACTION},
    {"agent": "narrow", "tool": "delete_file", "arguments": {"path": "a"}},
    {"server": "more", "tool": "pinned", "definition": "unseen"},
    {"server": "more", "tool": "pinned", "definition": {"drifted": ["description"]}},
    {"method": "sampling/createMessage"},
    UNKNOWN_ACTION,
)


def test_no_reason_is_what_a_requirement_asks_for(refused: Refused, content: Callable[[], Content]) -> None:
    asked_for = {about["description"] for about in content().data["requirements"].values()}
    for entry, ruled in zip(OTHERS, refused(*OTHERS), strict=True):
        assert ruled.enforced.outcome == "deny", entry
        assert ruled.enforced.reasons, entry
        assert not asked_for & {reason.message for reason in ruled.enforced.reasons}, entry


def test_an_unknown_tool_is_one_reason_and_no_rule_is_named(refused: Refused) -> None:
    (ruled,) = refused(UNKNOWN_TOOL)
    assert [reason.message for reason in ruled.enforced.reasons] == [
        "The catalog does not list tool `no_such_tool` of server `demo`"
    ]
    assert ruled.rules == []


def test_an_unknown_action_is_said_to_be_unknown(refused: Refused) -> None:
    for ruled in refused(UNKNOWN_ACTION, {"agent": "narrow", **UNKNOWN_ACTION}):
        for reason in ruled.enforced.reasons:
            assert "action" in reason.message
            assert "unknown" in reason.message


def test_the_owner_of_what_refuses_is_named(refused: Refused) -> None:
    answers = refused(
        {"tool": "delete_file", "arguments": {"path": "a"}},
        {"agent": "late", "method": "initialize"},
        {"server": "more", "tool": "no_such_tool"},
    )
    named = [owners(ruled.answer) for ruled in answers if isinstance(ruled.answer, Decision)]
    assert named == [
        ("you@example.com (owner of rule demo-files-are-kept)",),
        ("late@example.com (owner of agent late)",),
        ("more@example.com (owner of server more)",),
    ]


def test_ask_says_whom_to_ask(run: Run, repository: Path) -> None:
    asking_ = ("ask", "-d", repository, "--agent", "dev", "--server", "demo")
    denied = run(*asking_, "--tool", "delete_file", "--args", '{"path": "a"}')
    assert "contact: you@example.com (owner of rule demo-files-are-kept)" in denied.stdout
    allowed = run(*asking_, "--tool", "read_file", "--args", '{"path": "welcome.md"}')
    assert "contact:" not in allowed.stdout
