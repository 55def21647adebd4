"""Every kind of policy failure is a refusal with its own text and its own code."""

from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.admission.action import Outbound
from gateway.admission.decision import Decision, FailureCode, Ground, Obligation, PolicyFailure, Reason, Verdict
from gateway.admission.enforce import enforce, ruling, undecided
from gateway.admission.policy_input import Target
from gateway.admission.refusal import Recorded, Refusal, Wording, text
from gateway.admission.uris import with_normal_uri
from gateway.protocol.errors import FAILURES
from tests.fakes import ROUTE, allow

CODES: tuple[FailureCode, ...] = get_args(FailureCode)
TOOL = Target(type="tool", name="t")
NONE = Target()


def verdict(**changes: Any) -> Verdict:
    return Verdict(decision=replace(allow(), **changes), revision="r", decision_id="d", micros=1)


@pytest.mark.parametrize("code", CODES)
def test_a_policy_that_does_not_decide_is_refused_under_its_own_code(code: FailureCode) -> None:
    refusal = undecided(PolicyFailure(code=code, detail="a detail for the record", revision="dev@aaaaaaaaaaaa.1"))
    assert refusal.code == code
    (reason,) = refusal.reasons
    assert reason.message
    assert reason.remedy
    assert "a detail for the record" not in str(refusal), "policy data is not for the caller"
    assert FAILURES[code].status == 503


def test_no_twoundecideds_are_told_in_the_same_words() -> None:
    said = {undecided(PolicyFailure(code=code, detail="")).reasons[0].message for code in CODES}
    assert len(said) == len(CODES)


@pytest.mark.parametrize("target", [TOOL, NONE, Target(type="resource", uri="demo://a")])
@pytest.mark.parametrize(
    ("lacking", "code", "said"),
    [
        ({"grounds": []}, "policy_denied", "names no rule as its grounds"),
        ({"grounds": [Ground(rule="r", effect="hold")]}, "policy_denied", "names rule r as its grounds"),
        ({"grounds": [Ground(rule="r", effect="deny")]}, "policy_denied", "whose effect is deny"),
        ({"route": None}, "policy_denied", "names no address of the server"),
        ({"reasons": [Reason(requirement="r", message="m")]}, "policy_denied", "also gives reasons to refuse it"),
        (
            {"obligations": [Obligation(requirement="r", type="redact")]},
            "obligation_unsupported",
            "not supported here: redact",
        ),
    ],
)
def test_an_allow_that_lacks_something_says_what(lacking: dict[str, Any], code: str, said: str, target: Target) -> None:
    found = ruling(verdict(**lacking), target)
    assert (found.outcome, found.code) == ("deny", code)
    assert said in found.reasons[0].message


def test_every_code_of_a_refusal_is_in_the_error_table_or_only_in_records() -> None:
    codes = {code for arm in get_args(get_type_hints(Refusal)["code"]) for code in get_args(arm) or (arm,)}
    assert {"obligation_unsupported", "policy_error"} <= codes
    assert codes - set(get_args(Recorded)) == FAILURES.keys()
    assert set(get_args(FailureCode)) <= FAILURES.keys()


@pytest.mark.parametrize("outcome", ["deny", "hold", "allow"])
def test_a_refusal_by_policy_advises_against_a_retry(outcome: Any) -> None:
    asked = verdict(outcome=outcome, obligations=[Obligation(requirement="r", type="redact")])
    refusal = enforce(asked, Outbound(verb="POST", server="s", headers=()), TOOL)
    assert isinstance(refusal, Refusal)
    assert "Refused by policy" in text(refusal, Wording())
    assert "Do not retry this unchanged." in text(refusal, Wording())


def test_a_hold_is_recorded_as_one_and_says_that_a_person_has_to_agree() -> None:
    found = ruling(verdict(outcome="hold", grounds=[], route=None), TOOL)
    assert (found.outcome, found.code) == ("hold", "approval_required")
    assert "a person has to approve this" in found.reasons[0].message


def test_another_spelling_of_a_uri_needs_a_policy_that_matches_normal_forms() -> None:
    normal = verdict(route=replace(ROUTE, normal_uris=True))
    written = with_normal_uri(Target(type="resource", uri="HTTP://a/b"))
    assert written.written == "HTTP://a/b"
    assert ruling(normal, written).outcome == "allow"
    assert ruling(verdict(), written).reasons[0].requirement == "uri_not_normal"


reasons = st.lists(st.just(Reason(requirement="r", message="m")), max_size=1)
grounds = st.lists(
    st.builds(Ground, rule=st.just("r"), effect=st.sampled_from(("allow", "hold", "deny", ""))), max_size=2
)
obligations = st.lists(st.just(Obligation(requirement="r", type="x")), max_size=1)


@given(
    decision=st.builds(
        Decision,
        schema=st.just("mcp.decision/v1"),
        outcome=st.sampled_from(("allow", "hold", "deny")),
        reasons=reasons,
        grounds=grounds,
        resolved=st.just(allow().resolved),
        obligations=obligations,
        route=st.sampled_from((allow().route, None)),
    ),
    target=st.sampled_from((TOOL, NONE)),
)
def test_only_an_allow_by_permissions_with_a_route_and_nothing_else_admits(decision: Decision, target: Target) -> None:
    answer = Verdict(decision=decision, revision="r", decision_id="d", micros=1)
    found = ruling(answer, target)
    by_permissions = bool(decision.grounds) and all(ground.effect == "allow" for ground in decision.grounds)
    sound = by_permissions and decision.route is not None and not decision.reasons and not decision.obligations
    assert (found.outcome == "allow") is (decision.outcome == "allow" and sound)
    assert (found.outcome == "hold") is (decision.outcome == "hold")
    assert bool(found.reasons) is (found.outcome != "allow" and (decision.outcome != "deny" or bool(decision.reasons)))
