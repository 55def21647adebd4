"""A server on a loopback port, an application that shows the received requests, and a client that writes bytes."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from gateway.listening.certificate import Certificate
from gateway.listening.connections import identify
from gateway.listening.limits import ConnectionLimits
from gateway.listening.server import HttpServer, ServerOptions, server
from gateway.listening.sockets import Unbound, bind
from tests.unit.supervisor.certificates import write_certificate

PATIENCE_S: Final = 60
BIG: Final = 8 * 1024 * 1024


class Shown:
    """Answers by the path: `/read` reads the body first, `/early` does not, `/close` closes, `/big` is long.

    `/stay` waits for the client to leave.
    """

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes | None] = []
        self.hanging = asyncio.Event()
        self.left = 0
        """Requests for `/stay` whose application learned that the client has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        principal = dict(scope["headers"]).get(b"authorization", b"").decode()
        if principal:
            identify(scope, principal)
        if scope["path"] == "/read":
            await self._read(receive)
        if scope["path"] == "/stay":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left += 1
        if scope["path"] == "/hang":
            await self.hanging.wait()
        status = {"/early": 401, "/close": 413}.get(scope["path"], 200)
        closing = [(b"connection", b"close")] if scope["path"] == "/close" else []
        body = b"x" * BIG if scope["path"] == "/big" else self._told(scope)
        headers = [(b"content-length", str(len(body)).encode()), *closing]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _read(self, receive: Receive) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.bodies.append(None)
                return
            body += message["body"]
            if not message["more_body"]:
                self.bodies.append(body)
                return

    def _told(self, scope: Scope) -> bytes:
        headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
        return json.dumps({"path": scope["path"], "headers": headers}).encode()


class Answer(Struct):
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, list[str]]:
        """The headers that the application saw, by name."""
        found: dict[str, list[str]] = {}
        for name, value in json.loads(self.body)["headers"]:
            found.setdefault(name, []).append(value)
        return found


class Client:
    """One connection, written byte by byte as a test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader: Final = reader
        self.writer: Final = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answer:
        """Return the next answer."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(status=int(head[0].split(" ")[1]), headers=headers, body=body)

    async def ended(self) -> bytes:
        """Return what still comes until the server closes."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


class Served(Struct):
    """A running server."""

    server: HttpServer
    app: Shown
    port: int
    events: list[dict[str, Any]]

    @asynccontextmanager
    async def client(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()

    def trust(self) -> ssl.SSLContext:
        """Return a context of a client that takes any certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    async def ask(self, data: bytes) -> Answer:
        """Send bytes on a connection of their own, and return the first answer."""
        async with self.client() as client:
            await client.send(data)
            return await client.answer()


@asynccontextmanager
async def serving(
    limits: ConnectionLimits | None = None, *, drain_s: float = 0.2, tls: Path | None = None
) -> AsyncGenerator[Served]:
    """Run a server until the end of the block; with TLS if there is a directory for its certificate."""
    sockets = bind("127.0.0.1", 0, 1)
    assert not isinstance(sockets, Unbound)
    app, events = Shown(), list[dict[str, Any]]()

    def report(event: str, /, **fields: object) -> None:
        events.append({"event": event, **fields})

    certificate = None if tls is None else _certificate(tls, report)
    manner = ServerOptions(limits=limits or ConnectionLimits(), report=report, certificate=certificate)
    made = server(app, drain_s=drain_s, manner=manner)
    running = asyncio.create_task(made.serve(sockets=list(sockets)))
    try:
        yield Served(made, app, sockets[0].getsockname()[1], events)
    finally:
        made.end()
        app.hanging.set()
        await running


def _certificate(directory: Path, report: Callable[..., None]) -> Certificate:
    write_certificate(directory / "tls.crt", directory / "tls.key", "a")
    return Certificate(directory / "tls.crt", directory / "tls.key", report)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)  # noqa: TID251 - the rhythm in which a condition is looked at


def head(path: str, *lines: str, method: str = "POST", version: str = "HTTP/1.1") -> bytes:
    """Return the head of a request."""
    return "\r\n".join([f"{method} {path} {version}", "Host: a", *lines, "", ""]).encode("latin-1")


CHUNKED: Final = "Transfer-Encoding: chunked"
