"""What the client is told where an upstream gave no usable answer.

Rule 1: nothing of an upstream's own error pages and challenges is in it (DESIGN section 7).
"""

from typing import Final

from gateway.pipeline.embedded import in_error
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.errors import INVALID_REQUEST, error_body
from gateway.protocol.message import Response
from gateway.protocol.reply_ids import read_body
from gateway.protocol.results import unequivocal
from gateway.server.outcome import Outcome

REFUSED: Final = frozenset({401, 403, 407})
UNSHOWN: Final = frozenset({401, 407})
"""Statuses by which the server refuses the credential of the gateway: their bodies are for the gateway."""
SERVER_ERROR: Final = 500

REMEDIES: Final = {
    "upstream_unavailable": "Try again later, or tell the server's owner.",
    "upstream_timeout": "Try again later, or tell the server's owner.",
    "upstream_broken": "Tell the server's owner.",
    "result_too_large": "Ask for less, or ask the policy's owner for `large_results` on this server.",
    "unread_input_request": "Ask for less, or tell the server's owner.",
    "credential_missing": "Ask the gateway's operator to supply the credential.",
}

UNANSWERED: Final = UpstreamFailure(
    code="upstream_broken", detail="the server's answer is not a response to the request", stage="failed"
)
UNREADABLE: Final = UpstreamFailure(
    code="upstream_broken", detail="the server's answer is neither JSON nor SSE", stage="failed"
)
EMPTY: Final = UpstreamFailure(
    code="upstream_broken", detail="the server accepted the request and sent no response", stage="failed"
)
CHARSET: Final = UpstreamFailure(
    code="upstream_broken", detail="the server's answer is not encoded in UTF-8", stage="failed"
)
TOO_LARGE: Final = UpstreamFailure(code="result_too_large", detail="an event is larger than allowed", stage="withheld")

UNBOUNDED: Final = UpstreamFailure(code="result_too_large", detail="too much came before the answer", stage="withheld")
ASKING: Final = UpstreamFailure(
    code="unread_input_request",
    detail='the result is too large to be judged and holds "inputRequests", by which servers ask clients for something',
    stage="withheld",
)


def unanswered(detail: str) -> UpstreamFailure:
    """Return the failure of a body that is not the response to the request; `detail` says what it is instead."""
    said = f"{UNANSWERED.detail}: {detail}" if detail else UNANSWERED.detail
    return UpstreamFailure(code="upstream_broken", detail=said, stage="failed")


def unfinished(outcome: Outcome) -> UpstreamFailure:
    """Return the failure of a stream that ended without a response, with the first thing that was withheld."""
    withheld = f"; {outcome.withheld} messages were withheld, the first because {outcome.detail}"
    said = "the server ended without a response" + (withheld if outcome.withheld else "")
    return UpstreamFailure(code="upstream_broken", detail=said, stage="failed")


def too_much(what: str) -> UpstreamFailure:
    """Return the failure of a stream that goes beyond a limit."""
    return UpstreamFailure(code="upstream_broken", detail=f"the server sends too much: {what}", stage="failed")


def unwilling(reply: Reply) -> UpstreamFailure:
    """Return the failure that a refusal or an error of the upstream is to the client."""
    if reply.status in REFUSED:
        what = (
            "the gateway's own credential" if reply.status in UNSHOWN else "the gateway's credential for this request"
        )
        detail = f"the server refuses {what}"
    else:
        detail = f"the server answered HTTP {reply.status}"
    return UpstreamFailure(code="upstream_unavailable", detail=detail, stage="failed")


def error_only(body: bytes) -> bytes:
    """Return a server's JSON-RPC error that answers nothing, or one of ours in place of anything else."""
    message = read_body(body)
    error = message.error if isinstance(message, Response) and message.id is None else None
    if error is not None and unequivocal(body) and in_error(error) == []:
        return body
    return error_body(None, INVALID_REQUEST, "the server refused the message")
