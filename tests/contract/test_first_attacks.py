"""What a curious attacker tries first on the demo and on the rules of the README is refused by their own rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking
from gateway.policy.scenario_question import acting, asked, question
from tests.recorded import NOW

WRITTEN: Final = (
    *(
        "welcome.md",
        "notes/../welcome.md",
        "notes/./../welcome.md",
        "notes//../../etc/passwd",
        "notes/a/../../x",
    ),
    *("/notes/a.md", "./welcome.md", "notes\\..\\welcome.md", "notes/..%2fwelcome.md", "notes/\u2025/welcome.md"),
    *("Notes/a.md", "notes2/a.md", " notes/a.md", "notes/a.md\0", "~/notes/a.md", "file:///notes/a.md", "notes/.. /x"),
)
SENT: Final = (
    *("bob@rival.com", "bob@rival.com,x@example.com", "x@example.com,bob@rival.com", "x@example.com;bob@rival.com"),
    *("bob@rival.com x@example.com", "Bob <bob@rival.com>x@example.com", '"bob@rival.com"@example.com'),
    *("bob@example.com.rival.com", "bob@notexample.com", "bob@sub.example.com", "bob%rival.com@example.com"),
    *(
        "bob@rival.com\nx@example.com",
        "x@example.com\r\nBcc: bob@rival.com",
        "bob@rival.com#@example.com",
        "@example.com",
    ),
    *("x@\uff45xample.com", "bob@rival.com(@example.com", "x@example.com,", "x@@example.com"),
)
ODD: Final[tuple[Any, ...]] = (["x@example.com"], ["notes/a.md"], None, {}, 7)
DEMO: Final[list[dict[str, Any]]] = [
    *({"tool": "write_file", "arguments": {"path": path, "text": "x"}} for path in WRITTEN),
    *({"tool": "write_file", "arguments": {"path": path, "text": "x"}} for path in ODD),
    {"tool": "write_file", "arguments": {"text": "x"}},
    *({"tool": "send_message", "arguments": {"to": to, "text": "x"}} for to in SENT),
    *({"tool": "send_message", "arguments": {"to": to, "text": "x"}} for to in ODD),
    {"tool": "send_message", "arguments": {"text": "x"}},
    {"tool": "delete_file", "arguments": {"path": "notes/a.md"}},
    {"tool": "run_command", "arguments": {"command": "date"}},
]
SLACK: Final[list[dict[str, Any]]] = [
    {"tool": tool, "arguments": {}} for tool in ("post_message", "update_canvas", "delete_message", "archive_channel")
]


@pytest.fixture(scope="module")
def built(verified: Path, opa: Path, checkout: Path) -> Callable[[str], Content]:
    def build(environment: str) -> Content:
        content = Builder(verified, opa).content(PolicySource(checkout, environment), NOW)
        assert isinstance(content, Content), content
        return content

    return build


@pytest.mark.parametrize(
    ("environment", "agent", "server", "calls"),
    [("dev", "dev", "demo", DEMO), ("examples", "claude", "slack", SLACK)],
)
def test_the_first_attacks_are_refused(
    built: Callable[[str], Content], opa: Path, environment: str, agent: str, server: str, calls: list[dict[str, Any]]
) -> None:
    made = built(environment)
    stated = [asked({"agent": agent, "server": server, **call}, now=NOW) for call in calls]
    callers = [acting(each, made.environment.agents_by_id()) for each in stated]
    questions = [question(each, caller, made.data) for each, caller in zip(stated, callers, strict=True)]
    rulings = asking(made, OpaCommand(opa), callers).rulings(questions)
    passed = [call for call, ruling in zip(calls, rulings, strict=True) if ruling.enforced.outcome != "deny"]
    assert passed == []
