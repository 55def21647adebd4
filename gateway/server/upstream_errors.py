"""The errors that a client gets if an upstream gave no usable answer.

Rule 1: they contain nothing of an upstream's own error pages and challenges (DESIGN section 7).
"""

from collections.abc import Mapping
from typing import Final

from gateway.pipeline.embedded_requests import in_error
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.ambiguous_results import unequivocal
from gateway.protocol.errors import INVALID_REQUEST, error_body
from gateway.protocol.message import Response
from gateway.protocol.reply_ids import addressed, read_body
from gateway.server.exchange_stats import ExchangeStats

REFUSED: Final = frozenset({401, 403, 407})
UNSHOWN: Final = frozenset({401, 407})
"""Statuses by which the server refuses the credential of the gateway. Their bodies are meant for the gateway."""
SERVER_ERROR: Final = 500
NO_REQUEST: Final = frozenset({"server-error"})
"""Ids that do not name a request. The official Python SDK 1.x uses this one in errors with an HTTP 4xx."""
MESSAGE_REFUSED: Final = error_body(None, INVALID_REQUEST, "the server refused the message")

_REMEDIES: Final[Mapping[str, str]] = {
    "upstream_unavailable": "Try again later, or report this to the server's owner.",
    "upstream_timeout": "Try again later, or report this to the server's owner.",
    "upstream_broken": "Report this to the server's owner.",
    "result_too_large": "Ask for less, or ask the policy's owner for `large_results` on this server.",
    "unread_input_request": "Ask for less, or report this to the server's owner.",
    "credential_missing": "Ask the gateway's operator to supply the credential.",
}
_LIMIT: Final = (
    "Ask the gateway's operator to raise `limits.result_bytes`, or the server's owner to send less in one answer."
)


def remedy(failure: UpstreamFailure, *, must_be_read: bool) -> str:
    """Return the remedy. `large_results` does not help with an answer that has to be read whole, such as a list."""
    return _LIMIT if failure.code == "result_too_large" and must_be_read else _REMEDIES[failure.code]


def _failed(detail: str) -> UpstreamFailure:
    """Return the failure of a server that answered a request without a usable response."""
    return UpstreamFailure(code="upstream_broken", detail=detail, stage="failed")


UNANSWERED: Final = _failed("the server's answer is not a response to the request")
UNREADABLE: Final = _failed("the server's answer is neither JSON nor SSE")
EMPTY: Final = _failed("the server accepted the request and sent no response")
CHARSET: Final = _failed("the server's answer is not encoded in UTF-8")
BURIED: Final = UpstreamFailure(
    code="result_too_large", detail="the server sent too much before the answer", stage="withheld"
)
TOO_LARGE: Final = UpstreamFailure(
    code="result_too_large", detail="an event is larger than the gateway reads", stage="withheld"
)

ASKING: Final = UpstreamFailure(
    code="unread_input_request",
    detail='the result is too large to judge and contains "inputRequests", by which servers ask clients for input',
    stage="withheld",
)


def unanswered(detail: str) -> UpstreamFailure:
    """Return the failure of a body that is not the response to the request. `detail` names the kind of the body."""
    said = f"{UNANSWERED.detail}: {detail}" if detail else UNANSWERED.detail
    return _failed(said)


def unfinished(outcome: ExchangeStats) -> UpstreamFailure:
    """Return the failure of a stream that ended without a response, with the reason of the first withheld message."""
    withheld = f"; {outcome.withheld} messages were withheld, the first because {outcome.detail}"
    said = "the server ended without a response" + (withheld if outcome.withheld else "")
    return _failed(said)


def too_much(what: str) -> UpstreamFailure:
    """Return the failure of a stream that exceeds a limit."""
    return _failed(f"the server sent too much: {what}")


def unwilling(reply: Reply) -> UpstreamFailure:
    """Return the client's failure for a refusal or an error of the upstream."""
    if reply.status in REFUSED:
        own = reply.status in UNSHOWN
        detail = f"the server refused the gateway's {'own credential' if own else 'credential for this request'}"
    else:
        detail = f"the server answered HTTP {reply.status}"
    return UpstreamFailure(code="upstream_unavailable", detail=detail, stage="failed")


def error_only(body: bytes, instead: bytes = MESSAGE_REFUSED) -> bytes:
    """Return the JSON-RPC error of a reply whose HTTP status refuses the request, or `instead` of anything else.

    An error that names another request is not shown. An id that does not name a request becomes null.
    """
    message = read_body(body)
    error = message.error if isinstance(message, Response) else None
    if not isinstance(message, Response) or error is None or not unequivocal(body) or in_error(error) != []:
        return instead
    if message.id is None:
        return body
    if message.id not in NO_REQUEST:
        return instead
    return addressed(message, None).raw
