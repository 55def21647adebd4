"""The answer for a missing, unknown or expired credential (RFC 6750 section 3, RFC 9728)."""

from gateway.admission.action import Answer
from gateway.admission.refusal import JSON
from gateway.protocol.errors import failure_body
from gateway.server.ports import UnverifiedCaller


def unverified_answer(caller: UnverifiedCaller, request_id: str | int | None = None) -> Answer:
    """Return the answer with the status, the challenge and a body that names the required credential."""
    headers = (*JSON, ("www-authenticate", caller.challenge)) if caller.challenge else JSON
    body = failure_body(request_id, "not_authenticated", caller.reason, {"cause": caller.cause})
    return Answer(status=caller.status, body=body, headers=headers)
