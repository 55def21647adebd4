"""How an upstream fails, as values that are safe to show: foreign errors end here.

Rule 1: every error of aiohttp, of TLS and of the socket has one code; what is not foreseen is `upstream_broken`.
Rule 2: a detail says what happened and whose turn it is, and nothing that the upstream or a name server wrote.
"""

import errno
from typing import Final

import aiohttp

from gateway.pipeline.ports import UpstreamFailure

ERRORS: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
"""What aiohttp lets out of a request, its connection and its body; `ValueError` is for what cannot be sent."""


def unavailable(detail: str) -> UpstreamFailure:
    """Return the failure of a server that was not reached."""
    return UpstreamFailure(code="upstream_unavailable", detail=detail)


def broken(detail: str) -> UpstreamFailure:
    """Return the failure of a server that was reached and did not keep to the protocol."""
    return UpstreamFailure(code="upstream_broken", detail=detail)


def late(detail: str) -> UpstreamFailure:
    """Return the failure of a server that took too long."""
    return UpstreamFailure(code="upstream_timeout", detail=detail)


UNADDRESSED: Final = unavailable("the catalog's address of the server is not an http or https URL without a user")
SLOW: Final = late("the server did not answer in time")
SILENT: Final = late("the server fell silent in the middle of its answer")
CUT: Final = broken("the server broke off in the middle of its answer")
CLOSED: Final = broken("the server closed the connection before it answered")
ENCODED: Final = broken("the server compressed its answer although it was asked not to")
GARBAGE: Final = broken("the server's answer is not HTTP")
REDIRECTED: Final = broken("the server redirects, which is not followed: the catalog must name its final address")
UNAUTHORIZED: Final = UpstreamFailure(
    code="credential_missing", detail="the server does not accept the credential that the gateway has for it"
)
FORBIDDEN: Final = unavailable("the server refuses the gateway's credential for this request")


def too_large(limit: int) -> UpstreamFailure:
    """Return the failure of an answer that is longer than `limit` bytes."""
    return UpstreamFailure(code="result_too_large", detail=f"the server's answer is larger than {limit} bytes")


def of_status(status: int) -> UpstreamFailure | None:
    """Return why a reply with this status is no answer; null where it may be one."""
    if 300 <= status < 400:  # noqa: PLR2004 - the redirects of RFC 9110 section 15.4
        return REDIRECTED
    return {401: UNAUTHORIZED, 403: FORBIDDEN, 407: UNAUTHORIZED}.get(status)


def of_error(error: BaseException) -> UpstreamFailure:
    """Return what an error before the head of a reply means."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return unavailable("the server's TLS certificate does not verify")
        case aiohttp.ClientConnectorDNSError():
            return unavailable("the server's name does not resolve")
        case aiohttp.ClientConnectorSSLError():
            return unavailable("the server does not speak TLS as it should")
        case aiohttp.ConnectionTimeoutError():
            return unavailable("the server cannot be reached in time")
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno.ECONNREFUSED)):
            return unavailable("the server refuses connections")
        case aiohttp.ClientConnectorError():
            return unavailable("the server cannot be reached")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return CLOSED
        case aiohttp.InvalidURL():
            return UNADDRESSED
        case TimeoutError():
            return SLOW
        case _:
            return GARBAGE


def of_body_error(error: BaseException) -> UpstreamFailure:
    """Return what an error after the head of a reply means."""
    return SILENT if isinstance(error, TimeoutError) else CUT
