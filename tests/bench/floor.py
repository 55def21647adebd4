"""The floor: a bare relay that asks OPA one real question a message and does nothing else.

`python -m tests.bench.floor UPSTREAM OPA_SOCKET QUESTION_FILE`: no parsing, no identity, no journal, no filtering; one
decision of the same policy on a fixed input, then the bytes go upstream and the answer comes back.
"""

import sys
from pathlib import Path

import aiohttp
import uvloop
from starlette.types import Receive, Scope, Send

from gateway.opa.client import DECISION
from gateway.opa.transport import Exchanged
from gateway.opa.unix_transport import UnixTransport
from tests.bench.upstream import serve

_HEADERS = ("content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name")


class Floor:
    """The relay as an ASGI application."""

    def __init__(self, upstream: str, opa: Path, question: bytes) -> None:
        """Take the upstream's URL, OPA's socket, and the question that is asked every time."""
        self._upstream = upstream
        self._opa = UnixTransport(opa)
        self._question = question
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one request."""
        session = self._session = self._session or aiohttp.ClientSession(auto_decompress=False)
        event = await receive()
        answer = await self._opa.exchange(DECISION, self._question)
        if not isinstance(answer, Exchanged):
            raise TypeError(answer)
        headers = {n.decode(): v.decode() for n, v in scope["headers"] if n.decode() in _HEADERS}
        async with session.post(self._upstream, data=event["body"], headers=headers) as reply:
            body = await reply.read()
        lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": reply.status, "headers": lines})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvloop.run(serve(Floor(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_bytes())))
