import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.decision import PolicyFailure
from gateway.opa.answer import PolicyAnswer, read_decision, read_listing, revision_of
from gateway.opa.transport import Exchanged

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def decision(**changes: Any) -> dict[str, Any]:
    base = {
        "schema": "mcp.decision/v1",
        "outcome": "allow",
        "reasons": [],
        "grounds": [{"rule": "r", "effect": "allow", "owner": "o", "because": "b", "expires": None}],
        "resolved": {"agent": {"id": "a"}, "server": {"id": "s"}, "action": "read"},
        "route": {"url": "https://upstream.example/mcp"},
    }
    return base | changes


def answered(result: Any, status: int = 200) -> Exchanged:
    provenance = {"version": "1.22.0", "bundles": {"policy": {"revision": "dev@aaaaaaaaaaaa.1"}}}
    return Exchanged(status, json.dumps({"provenance": provenance, "result": result}).encode())


def refused(status: int, **body: Any) -> PolicyFailure:
    failure = read_decision(Exchanged(status, json.dumps(body).encode()))
    assert isinstance(failure, PolicyFailure)
    return failure


def test_a_decision_is_read_with_the_revision_that_gave_it() -> None:
    answer = read_decision(answered(decision()))
    assert isinstance(answer, PolicyAnswer)
    assert answer.result.outcome == "allow"
    assert revision_of(answer) == "dev@aaaaaaaaaaaa.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "perhaps"},
        {"outcome": None},
        {"outcome": ["allow"]},
        {"schema": "mcp.decision/v2"},
        {"reasons": {}},
        {"reasons": [{"requirement": 1, "message": "m"}]},
        {"grounds": None},
        {"resolved": None},
        {"route": {"credential": None}},
        {"route": {"url": 1}},
        {"route": {"url": "u", "credential": {"name": "n", "per": "everyone"}}},
        {"obligations": "none"},
    ],
)
def test_a_malformed_decision_is_a_failure(changes: dict[str, Any]) -> None:
    failure = read_decision(answered(decision(**changes)))
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_unavailable"


@pytest.mark.parametrize("missing", ["schema", "outcome", "reasons", "grounds", "resolved"])
def test_an_incomplete_decision_is_a_failure(missing: str) -> None:
    incomplete = decision()
    del incomplete[missing]
    assert isinstance(read_decision(answered(incomplete)), PolicyFailure)


def test_an_answer_without_a_result_is_a_failure_that_reports_a_missing_bundle() -> None:
    failure = read_decision(Exchanged(200, b'{"provenance":{"version":"1.22.0"}}\n'))
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_unavailable"
    assert "no policy bundle is active" in failure.detail


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"result":', b"\xff\xfe", b"null", b"[]", b'"allow"', b"true"])
def test_garbage_is_a_failure(body: bytes) -> None:
    failure = read_decision(Exchanged(200, body))
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_unavailable"


def test_a_decision_without_provenance_is_a_failure() -> None:
    assert isinstance(read_decision(Exchanged(200, json.dumps({"result": decision()}).encode())), PolicyFailure)


def test_an_evaluation_error_is_the_requirements_that_it_happened_in() -> None:
    location = {"file": "/mcp/requirements/recipients_are_known/recipients_are_known.rego", "row": 7, "col": 2}
    errors = [{"code": "eval_type_error", "message": "startswith: operand 1 must be string", "location": location}]
    failure = refused(500, code="internal_error", message="error(s) occurred", errors=errors)
    assert failure.code == "policy_error"
    assert failure.requirement == "recipients_are_known"
    assert "startswith: operand 1 must be string" in failure.detail


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('to_number: strconv.ParseFloat: parsing "hunter2": invalid syntax', "to_number received invalid operands"),
        ("net.cidr_contains: invalid CIDR address: hunter2", "net.cidr_contains received invalid operands"),
        ("hunter2: invalid", "a built-in function received invalid operands"),
        ("hunter2", "a built-in function received invalid operands"),
    ],
)
def test_an_error_of_a_built_in_function_quotes_no_argument(message: str, shown: str) -> None:
    location = {"file": "mcp/requirements/r/r.rego", "row": 7}
    errors = [{"code": "eval_builtin_error", "message": message, "location": location}]
    failure = refused(500, code="internal_error", message="m", errors=errors)
    assert failure.detail == f"eval_builtin_error: {shown} at mcp/requirements/r/r.rego:7"


def test_an_evaluation_error_elsewhere_names_no_requirement() -> None:
    errors = [{"code": "eval_conflict_error", "message": "m", "location": {"file": "mcp/lib/call/call.rego", "row": 1}}]
    failure = refused(500, code="internal_error", message="m", errors=errors)
    assert (failure.code, failure.requirement) == ("policy_error", "")


@pytest.mark.parametrize("status", [400, 413])
def test_a_question_that_opa_cannot_read_says_nothing_about_opa(status: int) -> None:
    assert refused(status, code="invalid_parameter", message="exceeded max depth").code == "policy_error"


@pytest.mark.parametrize("status", [201, 302, 401, 404, 500, 503])
def test_any_other_status_is_an_unavailable_policy(status: int) -> None:
    assert refused(status, code="unauthorized", message="m").code == "policy_unavailable"


def test_an_internal_error_that_is_not_an_evaluations_is_an_unavailable_policy() -> None:
    assert refused(500, code="internal_error", message="storage").code == "policy_unavailable"


@given(JSON, st.sampled_from([200, 400, 401, 500]))
def test_any_json_is_a_failure_unless_it_is_a_decision(result: Any, status: int) -> None:
    for read in (read_decision, read_listing):
        assert isinstance(read(answered(result, status)), PolicyFailure)
        assert isinstance(read(Exchanged(status, json.dumps(result).encode())), PolicyFailure)


@given(st.binary(), st.sampled_from([200, 400, 500]))
def test_any_bytes_are_a_failure(body: bytes, status: int) -> None:
    assert isinstance(read_decision(Exchanged(status, body)), PolicyFailure)
