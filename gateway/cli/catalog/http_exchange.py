"""One POST to a server and its answer, as a JSON body or as a stream of events.

Rule 1: text from the server is escaped and cut. Its challenge, headers and error pages are not shown.
Rule 2: an answer is limited in size and time. Other events are skipped, and reading ends with the answer.
Rule 3: an answer is read as leniently as clients do: an id may be returned as text or float, or in an array of one.
"""

import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx
import orjson
from msgspec import Struct

from gateway.cli.live_decisions import escaped
from gateway.protocol.json_values import as_list, as_object
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Response, read_reply
from gateway.protocol.sse import SseEventTooLarge, SseReader

LARGEST: Final = 64 * 1024 * 1024
"""Maximum bytes of one answer."""
LONGEST_S: Final = 60.0
_LENIENT: Final = frozenset({"shape", "id", "batch"})
"""Faults of a reply that clients tolerate."""
_OPTIONS: Final = "--credential-file FILE (a bearer token) or --header-file FILE (a line `Header-Name: value`)"


class Unreachable(Exception):  # noqa: N818 - it reports the result of a request
    """A server that gives no answer: the reason and the remedy."""


class NoResponse(Unreachable):
    """A server that was reached but did not answer this request; it may answer another."""


class ServerError(Exception):
    """An error that the server answered with; the text is its own, escaped."""

    def __init__(self, text: str, code: object = None) -> None:
        """Store the text to show, and the JSON-RPC code if there is one."""
        super().__init__(text)
        self.code: Final = code


class ServerReply(Struct, frozen=True, kw_only=True):
    """The reply to one request."""

    status: int
    session: str
    response: Response | None

    def result(self) -> dict[str, Any]:
        """Return the result of the request; raise `ServerError` for an error or a missing answer."""
        if self.response is None:
            raise ServerError(f"HTTP {self.status} without an answer")
        if self.response.error is not None:
            code, text = self.response.error.get("code"), str(self.response.error.get("message", ""))
            raise ServerError(f"{escaped(text[:300])} ({code})", code)
        return self.response.result or {}


def exchange(
    client: httpx.Client, url: str, message: dict[str, Any], headers: dict[str, str], *, longest_s: float = LONGEST_S
) -> ServerReply:
    """Send one message and return the reply; the reply to a notification is not read."""
    end = time.monotonic() + longest_s
    request_id = message.get("id")
    body, patience = orjson.dumps(message), httpx.Timeout(min(longest_s, client.timeout.read or longest_s))
    try:
        with client.stream("POST", url, content=body, headers=headers, timeout=patience) as response:
            _check(url, response)
            found = None if request_id is None else _response(url, response, request_id, end)
            session = response.headers.get("mcp-session-id", "")
            return ServerReply(status=response.status_code, session=session if _sound(session) else "", response=found)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise Unreachable(f"{escaped(url)} is not an http or https URL.") from error
    except httpx.ConnectError as error:
        raise Unreachable(_unconnected(url, error)) from error
    except httpx.HTTPError as error:
        raise NoResponse(f"{url} cannot be reached: {escaped(str(error)) or type(error).__name__}") from error


def response_to(body: bytes, request_id: int) -> Response | None:
    """Return the response to a request; null if the body is anything else."""
    message = read_reply(body)
    if isinstance(message, Malformed) and message.fault in _LENIENT:
        message = read_reply(_usual(body, request_id))
    if not isinstance(message, Response):
        return None
    echoed = message.id in {request_id, str(request_id)}
    return message if echoed or (message.id is None and message.error is not None) else None


def _usual(body: bytes, request_id: int) -> bytes:
    """Return a response in the standard form, from a form that clients tolerate."""
    parsed: Any = orjson.loads(body)
    items = as_list(parsed) or [parsed]
    message = as_object(items[0]) if len(items) == 1 else None
    if message is None:
        return b""
    if "result" in message and message.get("error", "") is None:
        del message["error"]
    if type(message.get("id")) is float and message["id"] == request_id:
        message["id"] = request_id
    try:
        return orjson.dumps(message)
    except orjson.JSONEncodeError:
        return b""


def _response(url: str, response: httpx.Response, request_id: int, end: float) -> Response | None:
    pieces = _bounded(url, response.iter_raw(), end)
    if response.headers.get("content-type", "").strip().lower().startswith("text/event-stream"):
        return next((found for data in _events(pieces) if (found := response_to(data, request_id))), None)
    return response_to(b"".join(pieces), request_id)


def _check(url: str, response: httpx.Response) -> None:
    """Raise an error for a response head that cannot have an answer."""
    if response.status_code in {401, 403}:
        raise NoResponse(_denied(url, response))
    if response.is_redirect:
        raise Unreachable(_redirected(url, response.headers.get("location", "")))
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NoResponse(f"{url} compresses its answer although the request did not allow it.")


def _denied(url: str, response: httpx.Response) -> str:
    scheme = response.headers.get("www-authenticate", "").partition(" ")[0].lower()
    words = f"{url} requires a credential, or refuses this one (HTTP {response.status_code}): give one with {_OPTIONS}"
    if scheme == "bearer":
        return f"{words}. It asks for a bearer token: sign in to the server elsewhere and save the access token."
    if scheme == "basic":
        return f"{words}. It asks for a password: write `Authorization: Basic ...` into the header file."
    return f"{words}; `catalog` also takes --credential NAME with --secrets DIRECTORY."


def _redirected(url: str, location: str) -> str:
    words = f"{url} redirects to {escaped(location[:200])!r}, but redirects are not followed"
    try:
        target, asked = urlsplit(urljoin(url, location)), urlsplit(url)
    except ValueError:
        target = asked = urlsplit("")
    if target.scheme and (target.scheme, target.netloc) == (asked.scheme, asked.netloc):
        return f"{words}: use {escaped(target.geturl()[:300])} as the URL."
    return f"{words}: give the final URL. It has another origin: check first that it is the intended server."


def _unconnected(url: str, error: httpx.ConnectError) -> str:
    words = escaped(str(error)) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return (
            f"{url} cannot be reached: its TLS certificate does not verify ({words}). If it was issued by a private "
            "authority, give the authority's certificate with --ca-file FILE."
        )
    return f"{url} cannot be reached: {words}"


def _sound(text: str) -> bool:
    """Return whether a text can be sent as a header, by the gateway's rules."""
    return text.isascii() and text.isprintable()


def _bounded(url: str, pieces: Iterator[bytes], end: float) -> Iterator[bytes]:
    """Return the pieces of a body while it is within the limits of size and time."""
    left = LARGEST
    for piece in pieces:
        left -= len(piece)
        if left < 0 or time.monotonic() > end:
            raise NoResponse(f"{url} answers with more than {LARGEST} bytes, or too slowly.")
        yield piece


def _events(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the data of the events of a stream."""
    reader = SseReader()
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, SseEventTooLarge):
                return
            if event.data:
                yield event.data
