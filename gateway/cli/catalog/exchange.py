"""One POST to a server and its answer, as a JSON body or as a stream of events.

Rule 1: what the server wrote is shown escaped and cut; its challenge, headers and error pages are not shown at all.
Rule 2: an answer is bounded in size; events that are not the answer are passed over.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
from msgspec import Struct

from gateway.cli.live import escaped
from gateway.protocol.message import Response, read_reply
from gateway.protocol.sse import Reader, TooLarge

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of one answer."""
LONGEST_S: Final = 60.0


class Unreachable(Exception):  # noqa: N818 - it is the answer to asking
    """Why there is no answer, and what to do about it."""


class Refused(Exception):  # noqa: N818 - it is an answer
    """The server answered with an error; the text is its own, escaped."""

    def __init__(self, text: str, code: object = None) -> None:
        """Take what to show, and the JSON-RPC code where there is one."""
        super().__init__(text)
        self.code: Final = code


class Reply(Struct, frozen=True, kw_only=True):
    """What came back for one message."""

    status: int
    session: str
    bodies: list[bytes]
    """The JSON body, or the data of every event."""

    def result_of(self, request_id: int) -> dict[str, Any]:
        """Return the result of the request; `Refused` for an error, or where no answer came."""
        for message in map(read_reply, self.bodies):
            if isinstance(message, Response) and message.error is not None and message.id in {request_id, None}:
                code, text = message.error.get("code"), str(message.error.get("message", ""))
                raise Refused(f"{escaped(text[:300])} ({code})", code)
            if isinstance(message, Response) and message.id == request_id and message.result is not None:
                return message.result
        raise Refused(f"HTTP {self.status} without an answer")


def exchange(client: httpx.Client, url: str, body: bytes, headers: dict[str, str]) -> Reply:
    """Send one message and return what came back."""
    end = time.monotonic() + LONGEST_S
    try:
        with client.stream("POST", url, content=body, headers=headers) as response:
            _check(url, response)
            pieces = _bounded(url, response.iter_raw(), end)
            sse = response.headers.get("content-type", "").startswith("text/event-stream")
            return Reply(
                status=response.status_code,
                session=response.headers.get("mcp-session-id", ""),
                bodies=list(_events(pieces)) if sse else [b"".join(pieces)],
            )
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise Unreachable(f"{escaped(url)} is not an http or https URL.") from error
    except httpx.HTTPError as error:
        raise Unreachable(f"{url} cannot be reached: {escaped(str(error)) or type(error).__name__}") from error


def _check(url: str, response: httpx.Response) -> None:
    """Raise for a head that no answer follows."""
    if response.status_code in {401, 403}:
        raise Unreachable(
            f"{url} wants a credential, or refuses this one (HTTP {response.status_code}): "
            "give one with --credential-file, --header-file or --credential."
        )
    if response.is_redirect:
        place = escaped(response.headers.get("location", "")[:200])
        raise Unreachable(f"{url} redirects to {place!r}, which is not followed: give the final address.")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unreachable(f"{url} compresses its answer although it was asked not to.")


def _bounded(url: str, pieces: Iterator[bytes], end: float) -> Iterator[bytes]:
    """Return the pieces of a body, as long as it is neither too long nor too late."""
    left = LARGEST
    for piece in pieces:
        left -= len(piece)
        if left < 0 or time.monotonic() > end:
            raise Unreachable(f"{url} answers with more than {LARGEST} bytes, or takes longer than {LONGEST_S:.0f} s.")
        yield piece


def _events(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the data of the events of a stream, up to the one that is an answer."""
    reader = Reader()
    for piece in pieces:
        for event in reader.feed(piece):
            if isinstance(event, TooLarge):
                return
            if event.data:
                yield event.data
                if isinstance(read_reply(event.data), Response):
                    return
