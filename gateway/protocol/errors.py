"""JSON-RPC errors and refusal bodies, as bytes.

Rule 1: every code that the gateway sends is in this module. Its own codes are positive, outside JSON-RPC's reserved
block (specification 2026-07-28, basic, Error Codes).
Rule 2: a refused `tools/call` is a tool result that the model can read, all others an error (DESIGN section 7).
Rule 3: an unknown failure is refused as an internal failure, never left out.
"""

from typing import Any, Final, Literal

import orjson
from msgspec import Struct

from gateway.protocol.malformed import Malformed
from gateway.protocol.revisions import Era

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_REVISION: Final = -32022

BATCH_REFUSED: Final = 40001
MESSAGE_MALFORMED: Final = 40002

DECISION_KEY: Final = "dev.admission/decision"
"""The `_meta` key of the gateway's machine-readable data; its second label is not reserved for MCP (specification,
`_meta`)."""

FailureName = Literal[
    "batch_refused",
    "message_malformed",
    "not_authenticated",
    "policy_denied",
    "approval_required",
    "obligation_unsupported",
    "session_unknown",
    "task_unknown",
    "rate_limited",
    "internal_failure",
    "upstream_unavailable",
    "upstream_broken",
    "result_too_large",
    "unread_input_request",
    "credential_missing",
    "policy_unavailable",
    "journal_unavailable",
    "policy_error",
    "policy_regressed",
    "policy_expired",
    "policy_stale",
    "bundle_unreadable",
    "bundle_of_other_environment",
    "bundle_input_unknown",
    "bundle_needs_newer_gateway",
    "overloaded",
    "too_many_questions",
    "upstream_timeout",
    "stopped",
    "recording_unsupported",
]


class Failure(Struct, frozen=True, kw_only=True):
    """One kind of refusal: the gateway's code, the HTTP status at connection time, and the meaning."""

    code: int
    status: int
    """Used if HTTP must carry it: while connecting, and without a request to answer."""
    meaning: str
    passing: bool = False
    """True if the same message may pass later without any change by its sender."""


FAILURES: Final[dict[str, Failure]] = {
    "batch_refused": Failure(
        code=BATCH_REFUSED, status=400, meaning="Batches are not accepted; send each message alone."
    ),
    "message_malformed": Failure(
        code=MESSAGE_MALFORMED, status=400, meaning="Some readers could read the message in another way."
    ),
    "not_authenticated": Failure(code=40101, status=401, meaning="The message has no valid credential."),
    "policy_denied": Failure(code=40301, status=403, meaning="Policy does not allow the message."),
    "approval_required": Failure(code=40302, status=403, meaning="Policy allows the message only after approval."),
    "stopped": Failure(
        code=40303, status=403, meaning="Policy ended the message after it was sent; its outcome is unknown."
    ),
    "obligation_unsupported": Failure(
        code=40304,
        status=403,
        meaning="Policy requires an obligation that this gateway cannot meet.",
    ),
    "recording_unsupported": Failure(
        code=40305, status=403, meaning="The message may pass only with a record that this gateway cannot write."
    ),
    "session_unknown": Failure(code=40401, status=404, meaning="The session is not known here; initialize again."),
    "task_unknown": Failure(code=40402, status=404, meaning="The task does not belong to this caller."),
    "rate_limited": Failure(code=42901, status=429, meaning="Too many messages; wait and try again.", passing=True),
    "internal_failure": Failure(code=50001, status=500, meaning="The gateway failed.", passing=True),
    "upstream_unavailable": Failure(code=50201, status=502, meaning="The MCP server cannot be reached.", passing=True),
    "upstream_broken": Failure(code=50202, status=502, meaning="The MCP server's answer is not valid MCP."),
    "result_too_large": Failure(code=50203, status=502, meaning="The MCP server's answer is larger than allowed."),
    "credential_missing": Failure(code=50204, status=502, meaning="The gateway has no credential for the MCP server."),
    "unread_input_request": Failure(
        code=50205, status=502, meaning="The MCP server's answer asks for input and is too large to be judged."
    ),
    "policy_unavailable": Failure(code=50301, status=503, meaning="The policy engine does not answer.", passing=True),
    "journal_unavailable": Failure(
        code=50302, status=503, meaning="The journal cannot be written, so all messages are refused.", passing=True
    ),
    "policy_error": Failure(code=50303, status=503, meaning="Policy evaluation failed for this message."),
    "policy_regressed": Failure(
        code=50304, status=503, meaning="The policy in force is older than one already enforced.", passing=True
    ),
    "policy_expired": Failure(code=50306, status=503, meaning="The policy in force has expired."),
    "policy_stale": Failure(
        code=50307,
        status=503,
        meaning="The policy in force has not been confirmed as current for too long.",
        passing=True,
    ),
    "bundle_unreadable": Failure(code=50308, status=503, meaning="The policy in force does not state what it is for."),
    "bundle_of_other_environment": Failure(
        code=50309, status=503, meaning="The policy in force was made for another environment."
    ),
    "bundle_input_unknown": Failure(
        code=50310, status=503, meaning="The policy in force expects another form of policy input."
    ),
    "bundle_needs_newer_gateway": Failure(code=50311, status=503, meaning="The policy in force needs a newer gateway."),
    "overloaded": Failure(code=50305, status=503, meaning="The gateway is at its limit.", passing=True),
    "too_many_questions": Failure(
        code=50312,
        status=503,
        meaning="Too many messages of this caller are waiting for a policy decision.",
        passing=True,
    ),
    "upstream_timeout": Failure(code=50401, status=504, meaning="The MCP server did not answer in time.", passing=True),
}


def failure_of(name: str) -> Failure:
    """Return the table's entry, or `internal_failure` for an unknown name."""
    return FAILURES.get(name, FAILURES["internal_failure"])


def error_body(id: str | int | None, code: int, message: str, data: dict[str, Any] | None = None) -> bytes:  # noqa: A002 - JSON-RPC's word
    """Return a JSON-RPC error; without an id it is null, as in JSON-RPC 2.0 section 5 and the official SDKs."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "error": error})


def result_body(id: str | int, result: dict[str, Any]) -> bytes:  # noqa: A002 - JSON-RPC's word
    """Return a JSON-RPC result that the gateway made or filtered."""
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "result": result})


def tool_error_body(id: str | int, text: str, decision: dict[str, Any], *, era: Era) -> bytes:  # noqa: A002 - JSON-RPC's word
    """Return a tool result that states why a call was refused: the one form that every client shows to the model."""
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": text}],
        "isError": True,
        "_meta": {DECISION_KEY: decision},
    }
    if era == "modern":
        result["resultType"] = "complete"
    return result_body(id, result)


def failure_body(id: str | int | None, name: str, message: str, data: dict[str, Any] | None = None) -> bytes:  # noqa: A002 - JSON-RPC's word
    """Return the JSON-RPC error of a failure of the gateway; `data` has its name for programs."""
    return error_body(id, failure_of(name).code, message, {"reason": name, **(data or {})})


def malformed_body(malformed: Malformed) -> bytes:
    """Return the JSON-RPC error for a message that could not be read; its HTTP status is `malformed.status`."""
    return error_body(malformed.id, malformed.code, malformed.reason, malformed.data)


def unknown_method(id: str | int | None, method: str, *, era: Era) -> tuple[int, bytes]:  # noqa: A002 - JSON-RPC's word
    """Return status and body for a method that the table lacks: a legacy 404 would mean that the session ended."""
    body = error_body(id, METHOD_NOT_FOUND, f"Method not found: {method[:128]}")
    return (404 if era == "modern" else 200), body
