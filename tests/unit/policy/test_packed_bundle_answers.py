"""Any output of OPA becomes an answer that the gateway's enforcement can handle."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.admission.decision import FailureCode
from gateway.admission.principal import ANONYMOUS
from gateway.policy.packed_bundle_answers import Ruled, ScenarioOpa
from gateway.policy.rego.opa_cli import OpaCommand, OpaRun
from gateway.policy.scenario_question import ActingCaller, asked, question

ALLOW: Final[dict[str, Any]] = {
    "schema": "mcp.decision/v1",
    "outcome": "allow",
    "reasons": [],
    "grounds": [{"rule": "r", "effect": "allow"}],
    "resolved": {},
    "route": {"url": "https://mail.example/mcp"},
}


class Scripted(OpaCommand, frozen=True):
    """An OPA that prints the same to every question."""

    ran: OpaRun = OpaRun(0, b"", b"")

    def run(self, *arguments: str, within: Path, stdin: bytes = b"") -> OpaRun:
        del arguments, within, stdin
        return self.ran


def ruled(ran: OpaRun) -> Ruled:
    stated = asked({"agent": "a", "server": "mail", "tool": "send", "definition": "unseen"}, now=0)
    asking = ScenarioOpa(Scripted(Path("opa"), ran=ran), b"", {})
    (found,) = asking.rulings([question(stated, ActingCaller(ANONYMOUS, ""), {})])
    return found


def printed(*answers: Any) -> OpaRun:
    return OpaRun(0, json.dumps({"result": [{"expressions": [{"value": [list(answers)]}]}]}).encode(), b"")


def test_an_allow_that_the_gateway_takes_is_one() -> None:
    found = ruled(printed(ALLOW))
    assert (found.enforced.outcome, found.rules) == ("allow", ["r"])


def test_an_allow_without_a_route_is_refused_and_no_rule_gave_that() -> None:
    found = ruled(printed({**ALLOW, "route": None}))
    assert (found.enforced.outcome, found.enforced.code, found.rules) == ("deny", "policy_denied", [])


@pytest.mark.parametrize(
    ("ran", "code"),
    [
        (printed({**ALLOW, "outcome": "perhaps"}), "policy_unavailable"),
        (printed({**ALLOW, "schema": "mcp.decision/v9"}), "policy_unavailable"),
        (printed({"outcome": "allow"}), "policy_unavailable"),
        (printed(), "policy_unavailable"),
        (OpaRun(0, b"{}", b""), "policy_unavailable"),
        (OpaRun(-1, b"", b"OPA did not start: gone"), "policy_unavailable"),
        (OpaRun(2, b'{"errors":[{"message":"bad","code":"eval_type_error"}]}', b""), "policy_error"),
        (OpaRun(2, b'{"errors":[{"message":"bad","code":"rego_type_error"}]}', b""), "policy_unavailable"),
    ],
)
def test_an_invalid_decision_is_refused_with_the_gateways_code(ran: OpaRun, code: FailureCode) -> None:
    found = ruled(ran)
    assert (found.enforced.outcome, found.enforced.code, found.rules) == ("deny", code, [])


class Needy(OpaCommand, frozen=True):
    """An OPA whose policy allows what states that the host is `good.example`, and needs that fact."""

    def run(self, *arguments: str, within: Path, stdin: bytes = b"") -> OpaRun:
        del arguments, within
        answers: list[list[Any]] = []
        for each in json.loads(stdin)["questions"]:
            good = each.get("facts", {}).get("/url", {}).get("host") == "good.example"
            needs = (
                [{"path": "/url", "facts": ["host"]}] if each["server"]["id"] == "web" and "facts" not in each else []
            )
            answers.append([{**ALLOW, "outcome": "allow" if good or not needs else "deny", "needs_facts": needs}])
            if "facts" in each and not good:
                answers[-1] = [{**ALLOW, "outcome": "deny", "grounds": []}]
        return OpaRun(0, json.dumps({"result": [{"expressions": [{"value": answers}]}]}).encode(), b"")


def test_a_question_whose_policy_needs_facts_is_asked_again_with_them() -> None:
    entries = [("mail", "http://bad.example"), ("web", "http://good.example/x"), ("web", "http://bad.example")]
    stated = [
        asked({"agent": "a", "server": server, "tool": "t", "arguments": {"url": url}, "definition": "unseen"}, now=0)
        for server, url in entries
    ]
    questions = [question(each, ActingCaller(ANONYMOUS, ""), {}) for each in stated]
    found = ScenarioOpa(Needy(Path("opa")), b"", {}).rulings(questions)
    assert [each.enforced.outcome for each in found] == ["allow", "allow", "deny"]
