"""Refusals have the documented form on the wire."""

from typing import get_args

import orjson

from gateway.protocol.errors import (
    DECISION_KEY,
    FAILURES,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    PARSE_ERROR,
    UNSUPPORTED_REVISION,
    FailureName,
    error_body,
    failure_body,
    failure_of,
    malformed_body,
    tool_error_body,
    unknown_method,
)
from gateway.protocol.malformed import Malformed


def test_every_failure_has_a_code_of_its_own_outside_the_reserved_block() -> None:
    codes = [failure.code for failure in FAILURES.values()]
    assert len(codes) == len(set(codes))
    assert all(code > 0 for code in codes)
    assert all(failure.code // 100 == failure.status for failure in FAILURES.values())


def test_every_name_of_a_failure_is_in_the_table() -> None:
    assert set(get_args(FailureName)) == set(FAILURES)


def test_the_codes_are_what_was_published() -> None:
    assert {failure.code: name for name, failure in FAILURES.items()} == {
        40001: "batch_refused",
        40002: "message_malformed",
        40101: "not_authenticated",
        40301: "policy_denied",
        40302: "approval_required",
        40303: "stopped",
        40304: "obligation_unsupported",
        40305: "recording_unsupported",
        40401: "session_unknown",
        40402: "task_unknown",
        42901: "rate_limited",
        50001: "internal_failure",
        50201: "upstream_unavailable",
        50202: "upstream_broken",
        50203: "result_too_large",
        50204: "credential_missing",
        50205: "unread_input_request",
        50301: "policy_unavailable",
        50302: "journal_unavailable",
        50303: "policy_error",
        50304: "policy_regressed",
        50306: "policy_expired",
        50307: "policy_stale",
        50308: "bundle_unreadable",
        50309: "bundle_of_other_environment",
        50310: "bundle_input_unknown",
        50311: "bundle_needs_newer_gateway",
        50305: "overloaded",
        50312: "too_many_questions",
        50401: "upstream_timeout",
    }
    assert (PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS) == (-32700, -32600, -32601, -32602)
    assert (HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_REVISION) == (-32020, -32021, -32022)


def test_no_refusal_advises_to_repeat_a_message_that_is_refused_again() -> None:
    lasting = {name for name, failure in FAILURES.items() if not failure.passing}
    assert {"policy_denied", "approval_required", "policy_error", "credential_missing", "batch_refused"} <= lasting
    assert {"obligation_unsupported", "stopped", "policy_expired", "message_malformed", "task_unknown"} <= lasting
    assert not {"policy_unavailable", "journal_unavailable", "upstream_unavailable", "rate_limited"} & lasting


def test_an_unknown_failure_is_internal() -> None:
    assert failure_of("nobody knows") is FAILURES["internal_failure"]


def test_an_error_has_id_code_message_and_data() -> None:
    assert orjson.loads(error_body("a", 5, "no", {"x": 1})) == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {"code": 5, "message": "no", "data": {"x": 1}},
    }
    assert error_body(None, 5, "no") == b'{"jsonrpc":"2.0","id":null,"error":{"code":5,"message":"no"}}'


def test_a_failure_says_its_name() -> None:
    error = orjson.loads(failure_body(1, "policy_denied", "no", {"decision_id": "d"}))["error"]
    assert (error["code"], error["data"]) == (40301, {"reason": "policy_denied", "decision_id": "d"})


def test_a_refused_call_is_a_result_that_the_model_can_read() -> None:
    legacy = orjson.loads(tool_error_body(1, "no", {"id": "d"}, era="legacy"))["result"]
    assert legacy == {
        "content": [{"type": "text", "text": "no"}],
        "isError": True,
        "_meta": {DECISION_KEY: {"id": "d"}},
    }
    modern = orjson.loads(tool_error_body(1, "no", {"id": "d"}, era="modern"))["result"]
    assert modern == {**legacy, "resultType": "complete"}


def test_the_key_of_our_data_is_not_reserved_for_mcp() -> None:
    labels = DECISION_KEY.partition("/")[0].split(".")
    assert labels[1] not in {"mcp", "modelcontextprotocol"}


def test_an_unknown_method_is_404_only_where_that_does_not_end_a_session() -> None:
    assert unknown_method(1, "x", era="modern")[0] == 404
    status, body = unknown_method(1, "x" * 1000, era="legacy")
    assert status == 200
    assert orjson.loads(body)["error"]["code"] == -32601
    assert len(body) < 300


def test_a_malformed_message_is_answered_with_its_reason() -> None:
    problem = Malformed(fault="revision", code=-32022, reason="no", id=3, data={"supported": []})
    assert orjson.loads(malformed_body(problem)) == {
        "jsonrpc": "2.0",
        "id": 3,
        "error": {"code": -32022, "message": "no", "data": {"supported": []}},
    }
