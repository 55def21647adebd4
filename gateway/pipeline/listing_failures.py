"""The outcome of the gateway's own list request, as a value that decides how the waiting call ends.

Rule 1: if the list could not be read, nothing of the call was sent, so the caller is never asked to check effects.
Rule 2: a session that the server has ended gives HTTP 404, so that the client initializes again.
Rule 3: the gateway words an upstream's 401 or 403. It never becomes an HTTP 401 to the client.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import Answer, Withhold
from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.inbound_message import Inbound
from gateway.admission.refusal import JSON, STOPPED, Recorded, Refusal, Wording, own, rpc_error
from gateway.admission.refusal import answer as refusal_answer
from gateway.pipeline.ports import UpstreamFailure
from gateway.protocol.errors import METHOD_NOT_FOUND, FailureName

UNSEEN: Final = frozenset({"definition_is_unchanged"})
"""The requirements that fail for every definition that was not seen."""
_WORDS: Final = 200
_LATEST_S: Final = 3_600
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503


class ListingFailed(Struct, frozen=True, kw_only=True):
    """A list that could not be read. `refusal` ends a call that cannot pass without the list."""

    refusal: Refusal
    session_gone: bool = False
    retry_after: str = ""
    unsupported: bool = False
    """The server answered that it does not have this list."""


class CompleteListing(Struct, frozen=True):
    """The list was read to its end, so a name that is missing in it is not listed."""


ListOutcome = CompleteListing | ListingFailed


class ServerAnswer(Struct, frozen=True, kw_only=True):
    """An answer to a list request that is not a result: an HTTP status, a JSON-RPC error, or both."""

    status: int
    error: Mapping[str, Any] | None = None
    retry_after: str = ""


def of_failure(method: str, failure: UpstreamFailure) -> ListingFailed:
    """Return the outcome of a list request that got no usable answer from the upstream."""
    return _failed(failure.code, f"{_before(method)}: {failure.detail}", _REMEDIES.get(failure.code, _OWNER))


def of_refusal(method: str, refusal: Refusal) -> ListingFailed:
    """Return the outcome of a list request that policy refused, or that could not be decided or recorded."""
    reasons = "; ".join(reason.message for reason in refusal.reasons)
    if refusal.code == STOPPED:
        return _failed(STOPPED, f"{_before(method)}: policy ended the list request ({reasons})", _LISTS)
    if refusal.code != "policy_denied":
        return ListingFailed(refusal=refusal)
    return _failed(refusal.code, f"{_before(method)}: policy denies this caller the list ({reasons})", _LISTS)


def changing(method: str) -> ListingFailed:
    """Return the outcome of a list that changed each time while a call was decided."""
    detail = "the server announced changes of the list during each attempt to read it"
    return of_failure(method, UpstreamFailure(code="upstream_unavailable", detail=detail))


def of_answer(method: str, answer: ServerAnswer, *, in_session: bool) -> ListingFailed:
    """Return the outcome of a list request that the server answered with an error."""
    error = answer.error
    unsupported = error is not None and error.get("code") == METHOD_NOT_FOUND
    if answer.status == _NOT_FOUND and in_session and not unsupported:
        gone = own("session_unknown", "The server no longer knows the session.", "Initialize again.")
        return ListingFailed(refusal=gone, session_gone=True)
    if error is not None and answer.status not in {_TOO_MANY, _UNAVAILABLE}:
        said = f"error {error.get('code')}: {_quoted(error.get('message', ''))}"
        message = f"{_before(method)}: the server answered with {said}"
        failed = _failed("upstream_unavailable", message, _ERROR)
        return ListingFailed(refusal=failed.refusal, unsupported=unsupported)
    wait = _seconds(answer.retry_after)
    remedy = f"Try again after {wait} seconds." if wait else _REMEDIES["upstream_unavailable"]
    failed = _failed("upstream_unavailable", f"{_before(method)}: the server answered HTTP {answer.status}", remedy)
    return ListingFailed(refusal=failed.refusal, retry_after=wait)


def ended(failed: ListingFailed | None, answer: Verdict | PolicyFailure | None, refusal: Refusal) -> Refusal:
    """Return how a refused call ends: with the failure of its list, if policy refuses it for no other reason.

    If `answer` is null, no answer counted because of the list.
    """
    if failed is None or isinstance(answer, PolicyFailure):
        return refusal
    known = failed.refusal
    if answer is None:
        return known
    if not needs_definition(answer):
        return refusal
    return replace(known, decision_id=answer.decision_id, revision=answer.revision)


def needs_definition(answer: Verdict | PolicyFailure | None) -> bool:
    """Return whether a decision refuses a message only because its definition was not seen."""
    if not isinstance(answer, Verdict):
        return False
    decision = answer.decision
    reasons = {reason.requirement for reason in decision.reasons}
    return decision.outcome != "allow" and bool(reasons) and (decision.needs_definition or reasons <= UNSEEN)


def worded(failed: ListingFailed | None, refusal: Refusal, inbound: Inbound, wording: Wording) -> Answer | Withhold:
    """Return the refusal in the form of its method, or HTTP 404 if the session has ended at the server."""
    if failed is None or refusal.code != failed.refusal.code:
        return refusal_answer(refusal, inbound, wording)
    if failed.session_gone:
        body = rpc_error(refusal, inbound.request_id, wording)
        return Answer(status=_NOT_FOUND, body=body, headers=JSON, code=refusal.code)
    action = refusal_answer(refusal, inbound, wording)
    if isinstance(action, Answer) and failed.retry_after:
        headers = (*action.headers, ("retry-after", failed.retry_after))
        return Answer(status=action.status, body=action.body, headers=headers, code=action.code)
    return action


def _failed(code: FailureName | Recorded, message: str, remedy: str) -> ListingFailed:
    return ListingFailed(refusal=own(code, message, remedy, stage="unsent"))


def _before(method: str) -> str:
    return f"the definition is needed before the call, and {method} failed"


def _quoted(words: object) -> str:
    """Return a server's words quoted and on one line, so that they cannot pass for the gateway's own."""
    line = "".join(character if character.isprintable() else " " for character in str(words)[:_WORDS])
    return '"' + line.replace('"', "'") + '"'


def _seconds(text: str) -> str:
    """Return a `Retry-After` in whole seconds if it is plausible. Dates are not supported."""
    return text if text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= _LATEST_S and len(text) <= 9 else ""  # noqa: PLR2004 - digits


UNSETTLED: Final = ListingFailed(
    refusal=own(
        "policy_unavailable",
        "the policy or the server's definitions changed during each attempt to judge this message",
        "Try again in a moment.",
    )
)
_OWNER: Final = "Report this to the server's owner."
_LISTS: Final = "Ask the policy's owner to permit the list on this server, or to require no pin for this target."
_ERROR: Final = (
    "Try again later. If the server never lists it, ask the policy's owner to require no pin for this target, "
    "or report this to the server's owner."
)
_REMEDIES: Final[Mapping[str, str]] = {
    "upstream_unavailable": "Try again later, or report this to the server's owner.",
    "upstream_timeout": "Try again later, or report this to the server's owner.",
    "upstream_broken": _ERROR,
    "result_too_large": "Report to the server's owner or to the gateway's operator that the list is too large.",
    "credential_missing": "Ask the gateway's operator to supply the credential.",
}
