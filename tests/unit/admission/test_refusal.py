"""A refusal advises against a retry exactly if the table of failures does."""

import orjson
import pytest

from gateway.admission.refusal import Stage, Wording, data, malformed_answer, own, text
from gateway.protocol.errors import FAILURES, FailureName
from gateway.protocol.headers import Headers
from gateway.protocol.malformed import Malformed


@pytest.mark.parametrize("code", FAILURES)
def test_only_what_will_be_refused_again_says_not_to_be_retried(code: FailureName) -> None:
    said = text(own(code, "a reason", "a remedy"), Wording())
    assert ("Do not retry this unchanged." in said) is not FAILURES[code].passing
    assert "What to do: a remedy" in said


@pytest.mark.parametrize(
    ("stage", "executed", "sent"),
    [
        ("refused", "Nothing was executed.", False),
        ("unsent", "Nothing was executed.", False),
        ("unknown", "It may have been executed.", True),
        ("failed", "It may have been executed.", True),
        ("withheld", "It may have been executed.", True),
    ],
)
def test_a_refusal_says_whether_the_request_was_sent(stage: Stage, executed: str, *, sent: bool) -> None:
    refusal = own("upstream_broken", "a reason", stage=stage)
    said = text(refusal, Wording())
    assert executed in said.splitlines()[0]
    assert ("Check whether it was executed before you repeat it." in said) is sent
    assert data(refusal, Wording())["sent"] is sent


@pytest.mark.parametrize("code", FAILURES)
def test_only_a_decision_of_policy_is_called_a_refusal_by_policy(code: FailureName) -> None:
    decided = code in {"policy_denied", "approval_required", "obligation_unsupported"}
    assert text(own(code, "a reason"), Wording()).startswith("Refused by policy") is decided


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"mcp-protocol-version": "2025-11-25"}, 200),
        ({"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call"}, 200),
        ({"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}, 400),
        ({"mcp-protocol-version": "2026-07-28"}, 400),
        ({"mcp-protocol-version": "2099-01-01"}, 400),
    ],
)
def test_a_fault_inside_params_is_refused_in_the_form_of_its_method(headers: dict[str, str], status: int) -> None:
    fault = Malformed(fault="number", code=-32600, reason="a number", id=7, method="tools/call")
    got = malformed_answer(fault, Headers(headers), Wording(organization_message="Ask Ada."))
    message = orjson.loads(got.body)
    assert (got.status, message["id"]) == (status, 7)
    assert ("result" in message) is (status == 200)
    if status == 200:
        assert message["result"]["isError"] is True
        assert ("resultType" in message["result"]) is ("mcp-method" in headers)
        assert "Ask Ada." in message["result"]["content"][0]["text"]


def test_other_requests_get_an_error_and_notifications_nothing() -> None:
    request = Malformed(fault="number", code=-32600, reason="a number", id=7, method="prompts/get")
    got = malformed_answer(request, Headers({}), Wording())
    assert (got.status, orjson.loads(got.body)["error"]["code"]) == (200, -32600)
    told = Malformed(fault="number", code=-32600, reason="a number", method="notifications/progress")
    assert (malformed_answer(told, Headers({}), Wording()).status, told.id) == (202, None)


@pytest.mark.parametrize("code", FAILURES)
def test_the_opening_sentence_begins_what_policy_decided_and_nothing_else(code: FailureName) -> None:
    opening = "Your organization is blocking this action."
    lines = text(own(code, "a reason"), Wording(opening=opening)).splitlines()
    decided = code in {"policy_denied", "approval_required", "obligation_unsupported"}
    assert (lines[0] == opening) is decided
    assert (opening in lines) is decided


def test_a_call_that_was_sent_is_not_called_blocked() -> None:
    ended = text(own("policy_denied", "a reason", stage="ended"), Wording(opening="Blocked."))
    assert "Blocked." not in ended
