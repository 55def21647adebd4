"""Refusals, and the words and bytes in which the sender receives them (DESIGN section 7).

Rule 1: a refusal names the refused item, the reason, the next step and a contact; never policy data.
Rule 2: the form follows the method table: tool errors for calls, JSON-RPC errors for requests, else nothing.
Rule 3: HTTP 401 is for authentication only; 503 only for connecting while policy cannot be evaluated.
Rule 4: the text states what the gateway knows about execution: only a request that was never sent was certainly not
executed.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import Answer, Withhold
from gateway.admission.decision import Reason
from gateway.admission.inbound_message import Inbound
from gateway.protocol import errors
from gateway.protocol.headers import Headers
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Request
from gateway.protocol.methods import lookup
from gateway.protocol.revisions import WITHOUT_HEADER, era_of

UNVERIFIED: Final = "principal_is_verified"
STOPPED: Final = "stopped"
"""The code of a call that was sent and is refused while it runs."""
JSON: Final = (("content-type", "application/json"),)
_UNAVAILABLE: Final = 503
_FORBIDDEN: Final = 403
_NOT_ALLOWED: Final = 405
_RETRY_AFTER_S: Final = "2"


Stage = Literal["refused", "unsent", "unknown", "ended", "failed", "withheld"]
"""Progress of the request: refused before it was sent, could not be sent, sent without a known outcome, sent and ended
by policy while it ran, sent to a server that failed, sent and answered with a result that the gateway withholds."""

Recorded = Literal["malformed_shape", "request_not_own", "token_not_own", "client_task_not_own"]
"""Codes of notifications, which have no answer. They appear only in records."""

_OPENINGS: Final[Mapping[Stage, str]] = {
    "refused": "Refused by {by} ({code}). Nothing was executed.",
    "unsent": "The request was not sent to the server ({code}). Nothing was executed.",
    "unknown": "The request was sent to the server, and its outcome is unknown ({code}). It may have been executed.",
    "ended": "Policy ended the request while it ran ({code}); its outcome is unknown. It may have been executed.",
    "failed": "The request was sent, and the server failed ({code}). It may have been executed.",
    "withheld": "The request was sent, and its answer is withheld ({code}). It may have been executed.",
}
_SENT: Final = frozenset({"unknown", "ended", "failed", "withheld"})
_FINAL: Final = frozenset({"refused", "ended", "withheld"})
"""Stages at which a retry ends in the same way, unless its code marks a temporary condition."""
_OF_POLICY: Final = frozenset({"policy_denied", "approval_required", "obligation_unsupported"})
"""Codes of refusals that policy decided; all others are the gateway's own."""
_CHECK: Final = "Check whether it was executed before you repeat it."


class Wording(Struct, frozen=True, kw_only=True):
    """Text that an organization adds to every refusal."""

    opening: str = ""
    """The first sentence of refusals by policy. Other refusals do not have it, since only policy is the
    organization's."""
    organization_message: str = ""
    request_url: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """A refused message: the public code, and the reasons from OPA or the gateway."""

    code: errors.FailureName | Recorded
    reasons: tuple[Reason, ...]
    decision_id: str = ""
    revision: str = ""
    stage: Stage = "refused"
    owners: tuple[str, ...] = ()
    """Contacts: each owner with the thing that they own."""

    @property
    def unauthenticated(self) -> bool:
        """True if the reason is the credential itself, so that a new one may help."""
        return any(reason.requirement == UNVERIFIED for reason in self.reasons)


def own(code: errors.FailureName | Recorded, message: str, remedy: str = "", *, stage: Stage = "refused") -> Refusal:
    """Return a refusal by the gateway itself, before or instead of a decision."""
    reason = Reason(requirement=code, message=message, severity="high", remedy=remedy)
    return Refusal(code=code, reasons=(reason,), stage=stage)


def stopped(refusal: Refusal) -> Refusal:
    """Return the refusal of a call that was already sent and is ended while it runs."""
    return replace(refusal, code=STOPPED, stage="ended")


def answer(refusal: Refusal, inbound: Inbound, wording: Wording) -> Answer | Withhold:
    """Return the answer by which the sender of `inbound` receives the refusal."""
    request = inbound.message
    if request is None:
        return _unasked(refusal, wording)
    if not isinstance(request, Request):
        return Withhold()
    if inbound.method.refusal == "tool_error":
        decision = data(refusal, wording)
        body = errors.tool_error_body(request.id, text(refusal, wording), decision, era=inbound.era)
        return Answer(status=200, body=body, headers=JSON, code=refusal.code)
    if inbound.method.refusal == "connect_error":
        return _connect(refusal, request.id, wording)
    return Answer(status=200, body=rpc_error(refusal, request.id, wording), headers=JSON, code=refusal.code)


def malformed_answer(malformed: Malformed, names: Headers, wording: Wording) -> Answer:
    """Return the answer to a message that cannot be read.

    A fault inside `params` is answered in the form of the method with HTTP 200, because a 4xx ends the session of some
    clients; a notification gets no answer. Every other fault is an HTTP error (specification 2026-07-28, Streamable
    HTTP).
    """
    version = names.get("mcp-protocol-version")
    era = "legacy" if version is None else era_of(version)
    agrees = era is not None and (era == "legacy" or names.get("mcp-method") == malformed.method)
    if not malformed.method or era is None or not agrees:
        return Answer(status=malformed.status, body=errors.malformed_body(malformed), headers=JSON)
    if malformed.id is None:
        return Answer(status=202)
    row = lookup(malformed.method, direction="client", revision=version or WITHOUT_HEADER)
    if row is None or row.refusal != "tool_error":
        return Answer(status=200, body=errors.malformed_body(malformed), headers=JSON)
    refusal = own("message_malformed", malformed.reason, "Correct the arguments and send the call again.")
    body = errors.tool_error_body(malformed.id, text(refusal, wording), data(refusal, wording), era=era)
    return Answer(status=200, body=body, headers=JSON)


def text(refusal: Refusal, wording: Wording) -> str:
    """Return the sentences of the refusal for a model or a person."""
    by = "policy" if refusal.code in _OF_POLICY else "the gateway"
    blocked = wording.opening if refusal.stage == "refused" and refusal.code in _OF_POLICY else ""
    lines = [line for line in (blocked, _OPENINGS[refusal.stage].format(code=refusal.code, by=by)) if line]
    lines += [f"- {reason.requirement}: {reason.message}" for reason in refusal.reasons]
    lines += [f"What to do: {remedy}" for remedy in dict.fromkeys(r.remedy for r in refusal.reasons) if remedy]
    lines += [f"Whom to ask: {', '.join(refusal.owners)}."] if refusal.owners else []
    lines += [part for part in (wording.organization_message, _ask_at(wording.request_url)) if part]
    if refusal.stage in _SENT:
        lines.append(_CHECK)
    if refusal.stage in _FINAL and not errors.failure_of(refusal.code).passing:
        lines.append("Do not retry this unchanged.")
    if refusal.decision_id:
        lines.append(f"Decision {refusal.decision_id}.")
    return "\n".join(lines)


def data(refusal: Refusal, wording: Wording) -> dict[str, Any]:
    """Return the machine-readable form, for `_meta` or the error's `data`."""
    body: dict[str, Any] = {
        "code": refusal.code,
        "sent": refusal.stage in _SENT,
        "decision_id": refusal.decision_id,
        "revision": refusal.revision,
        "reasons": [
            {"requirement": r.requirement, "message": r.message, "severity": r.severity, "remedy": r.remedy}
            for r in refusal.reasons
        ],
        "owners": list(refusal.owners),
    }
    if wording.request_url:
        body["request_url"] = wording.request_url
    return body


def rpc_error(refusal: Refusal, request_id: str | int | None, wording: Wording) -> bytes:
    """Return the refusal as a JSON-RPC error, for any method."""
    return errors.failure_body(request_id, refusal.code, text(refusal, wording), data(refusal, wording))


def _connect(refusal: Refusal, request_id: str | int, wording: Wording) -> Answer:
    """Refuse a client that connects: 503 if policy cannot be evaluated, so that it does not misread the era."""
    body = rpc_error(refusal, request_id, wording)
    if errors.failure_of(refusal.code).status == _UNAVAILABLE:
        return Answer(
            status=_UNAVAILABLE, body=body, headers=(*JSON, ("retry-after", _RETRY_AFTER_S)), code=refusal.code
        )
    return Answer(status=200, body=body, headers=JSON, code=refusal.code)


def _unasked(refusal: Refusal, wording: Wording) -> Answer:
    """Refuse a stream or the end of a session like a server without one: 403 would mean the token's scope."""
    failure = errors.failure_of(refusal.code)
    refused = failure.status == _FORBIDDEN
    headers = (*JSON, ("allow", "POST")) if refused else JSON
    status = _NOT_ALLOWED if refused else failure.status
    return Answer(status=status, body=rpc_error(refusal, None, wording), headers=headers, code=refusal.code)


def _ask_at(url: str) -> str:
    return f"Ask for access at {url}." if url else ""
