"""uvicorn as a component of a process, without its process management.

Rule 1: an idle process sleeps, because a gateway has three of these servers.
Rule 2: a server ends in bounded time: calls under way may finish, and the rest are canceled and may still write their
end.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Generator
from typing import Final, cast

import msgspec
import uvicorn
from msgspec import Struct
from starlette.types import ASGIApp

from gateway.listening import descriptors
from gateway.listening.acceptor import Acceptor
from gateway.listening.certificate import Certificate
from gateway.listening.connections import Connection, Connections
from gateway.listening.http_protocol import HttpProtocol, Listener
from gateway.listening.limits import ConnectionLimits
from gateway.listening.refused_connections import EventLog, Refusals
from gateway.pipeline.bounded_reads import PacedReading

TICK_S: Final = 1.0
"""Interval at which the `Date` header is renewed and deadlines are checked."""
_CANCELED_S: Final = 1.0
"""Seconds that canceled exchanges have to write their end."""


def _silent(_event: str, /, **_fields: object) -> None:
    """Report nothing."""


def _plain(reason: str) -> bytes:
    return msgspec.json.encode({"error": reason})


class ServerOptions(Struct, frozen=True, kw_only=True):
    """Limits, event log, refusal format and certificate of a server."""

    limits: ConnectionLimits = ConnectionLimits()
    report: EventLog = _silent
    error_body: Callable[[str], bytes] = _plain
    certificate: Certificate | None = None


class HttpServer(uvicorn.Server):
    """HTTP server that stops when `end` is called and installs no signal handlers."""

    def __init__(self, config: uvicorn.Config, drain_s: float, manner: ServerOptions) -> None:
        super().__init__(config)
        self._over: Final = asyncio.Event()
        self._drain_s: Final = drain_s
        self._manner: Final = manner
        self._tick_s: Final = min(TICK_S, manner.limits.shortest_s / 2)
        self._acceptors: Final[list[Acceptor]] = []
        self._refusals: Final = Refusals(manner.report, time.monotonic)
        self.open: Final = Connections(manner.limits, self._refusals, time.monotonic)
        """The open connections."""

    def end(self) -> None:
        """Accept no more connections, let calls under way finish, then stop."""
        self.should_exit = True
        self._over.set()

    def unreachable(self) -> str:
        """Return the reason why no client can connect now; empty if clients can."""
        failed = next((one.failed for one in self._acceptors if one.failed), "") or descriptors.exhausted()
        if failed:
            return f"no connection can be accepted: {failed}"
        if self.open.full():
            return f"all {len(self.open)} connections are in use (listen.connections)"
        return ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections on these sockets."""
        manner = self._manner
        listener = Listener(
            config=self.config,
            asgi=cast("ASGIApp", self.config.app),
            state=self.server_state,
            connections=self.open,
            error_body=manner.error_body,
        )

        def make(connection: Connection) -> asyncio.BaseProtocol:
            return PacedReading(HttpProtocol(listener, connection))

        for each in sockets or ():
            acceptor = Acceptor(each, self.open, make, manner.certificate)
            acceptor.start()
            self._acceptors.append(acceptor)
        self.started = True

    async def main_loop(self) -> None:
        """Renew the date and check deadlines until the server stops."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), self._tick_s)

    async def on_tick(self, counter: int) -> bool:
        """Check deadlines; return whether the server must stop."""
        self.open.sweep()
        self._refusals.flush()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let exchanges finish within limits, and close all connections."""
        for acceptor in self._acceptors:
            acceptor.close()
        for each in sockets or ():
            each.close()
        for connection in tuple(self.server_state.connections):
            connection.shutdown()
        await self._finished(self._drain_s)
        for task in tuple(self.server_state.tasks):
            task.cancel("the server is stopping")
        await self._finished(_CANCELED_S)
        self.open.close()

    async def _finished(self, seconds: float) -> None:
        """Wait until every exchange has ended and every client has its response, or until the timeout."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (self.server_state.tasks or len(self.open)) and (left_s := until - loop.time()) > 0:
            tasks = tuple(self.server_state.tasks)
            if tasks:
                await asyncio.wait(tasks, timeout=min(left_s, self._tick_s))
            else:
                await self.open.emptied(min(left_s, self._tick_s))
            self.open.sweep()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture nothing."""
        yield


def server(asgi: ASGIApp, *, drain_s: float, manner: ServerOptions | None = None) -> HttpServer:
    """Return a server that gives calls under way `drain_s` seconds to finish; its caller passes the socket."""
    configuration = uvicorn.Config(
        asgi,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    return HttpServer(configuration, drain_s, manner or ServerOptions())
