"""The failures of an upstream, as values that are safe to show. Foreign errors are converted here.

Rule 1: every error of the socket, of TLS and of HTTP has one code.
Rule 2: a detail names the event and the party that has to act. It contains no text of the upstream or a name server.
"""

import ssl
from typing import Final

from gateway.pipeline.ports import UpstreamFailure


def unavailable(detail: str) -> UpstreamFailure:
    """Return the failure of a server that was not reached."""
    return UpstreamFailure(code="upstream_unavailable", detail=detail, stage="unsent")


def broken(detail: str) -> UpstreamFailure:
    """Return the failure of a server that was reached and violated the protocol."""
    return UpstreamFailure(code="upstream_broken", detail=detail, stage="failed")


def late(detail: str) -> UpstreamFailure:
    """Return the failure of a server that took too long."""
    return UpstreamFailure(code="upstream_timeout", detail=detail)


UNADDRESSED: Final = unavailable("the server's address in the catalog is not an http or https URL without a user")
UNRESOLVED: Final = unavailable("the server's name does not resolve")
LOOKUP_FAILED: Final = unavailable("the gateway cannot look up the server's name at the moment")
CROWDED: Final = unavailable("the gateway has too many open connections at the moment")
SLOW: Final = late("the server did not answer in time")
SILENT: Final = late("the server stopped sending in the middle of its answer")
CUT: Final = UpstreamFailure(
    code="upstream_broken", detail="the server closed the connection in the middle of its answer"
)
CLOSED: Final = UpstreamFailure(
    code="upstream_broken",
    detail="the server closed the connection before it answered; the call may have been executed",
)
UNWRITTEN: Final = unavailable("the server closed the connection before the request was sent")
TIMED_OUT: Final = UpstreamFailure(
    code="upstream_broken",
    detail="the server stopped waiting for the request (HTTP 408); the call may have been executed",
)
ENCODED: Final = broken("the server compressed its answer although the gateway did not accept compression")
GARBAGE: Final = broken("the server's answer is not HTTP")
REDIRECTED: Final = broken(
    "the server sent a redirect, which the gateway does not follow: set its final address in the catalog"
)
UNAUTHORIZED: Final = UpstreamFailure(
    code="credential_missing",
    detail="the server does not accept the gateway's credential",
    stage="failed",
)
FORBIDDEN: Final = UpstreamFailure(
    code="upstream_unavailable",
    detail="the server refused the gateway's credential for this request",
    stage="failed",
)
_REFUSALS: Final = {401: UNAUTHORIZED, 403: FORBIDDEN, 407: UNAUTHORIZED}


def too_large(limit: int) -> UpstreamFailure:
    """Return the failure of an answer that is longer than `limit` bytes."""
    detail = f"the server's answer is larger than {limit} bytes"
    return UpstreamFailure(code="result_too_large", detail=detail, stage="withheld")


def of_status(status: int) -> UpstreamFailure | None:
    """Return why a reply with this status is not an answer, or null if it may be one."""
    if 300 <= status < 400:  # noqa: PLR2004 - the redirects of RFC 9110 section 15.4
        return REDIRECTED
    return _REFUSALS.get(status)


def of_error(error: OSError) -> UpstreamFailure:
    """Return the failure of a connection that could not be opened."""
    match error:
        case ssl.SSLCertVerificationError():
            return unavailable("the server's TLS certificate cannot be verified")
        case ssl.SSLError():
            return unavailable("the TLS handshake with the server failed")
        case TimeoutError():
            return unavailable("the connection to the server timed out")
        case ConnectionRefusedError():
            return unavailable("the server refused the connection")
        case _:
            return unavailable("the server cannot be reached")
