"""What the client is told where an upstream gave no usable answer.

Rule 1: nothing of an upstream's own error pages and challenges is in it (DESIGN section 7).
"""

from typing import Final

from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.errors import INVALID_REQUEST, error_body
from gateway.protocol.message import Response, read_reply

REFUSED: Final = frozenset({401, 403, 407})
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
UNFINISHED: Final = UpstreamFailure(
    code="upstream_broken", detail="the server ended without a response", stage="failed"
)
TOO_LARGE: Final = UpstreamFailure(code="result_too_large", detail="an event is larger than allowed", stage="withheld")

UNBOUNDED: Final = UpstreamFailure(code="result_too_large", detail="too much came before the answer", stage="withheld")
ASKING: Final = UpstreamFailure(
    code="unread_input_request",
    detail='the result is too large to be judged and holds "inputRequests", by which servers ask clients for something',
    stage="withheld",
)


def answers(body: bytes) -> bool:
    """Return whether a body that was settled is a response; it is read again only where it may spell `method`."""
    return not (b'"method"' in body or b"\\u" in body) or responds(body)


def responds(data: bytes) -> bool:
    """Return whether a message of the upstream is a response."""
    return bool(data) and isinstance(read_reply(data), Response)


def unwilling(reply: Reply) -> UpstreamFailure:
    """Return the failure that a refusal or an error of the upstream is to the client."""
    if reply.status in REFUSED:
        detail = "the server refuses the gateway's own credential"
    else:
        detail = f"the server answered HTTP {reply.status}"
    return UpstreamFailure(code="upstream_unavailable", detail=detail, stage="failed")


def error_only(body: bytes) -> bytes:
    """Return a server's JSON-RPC error as it is, or one of ours in place of anything else."""
    message = read_reply(body)
    if isinstance(message, Response) and message.error is not None:
        return body
    return error_body(None, INVALID_REQUEST, "the server refused the message")
