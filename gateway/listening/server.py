"""uvicorn as a part of our processes, not as their owner.

Rule 1: a process that has nothing to do sleeps: a gateway has three of these servers.
"""

import asyncio
import contextlib
from collections.abc import Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from gateway.listening.certificate import Certificate

KEEP_ALIVE_S = 75
"""Seconds that an idle connection is kept: longer than the clients', so that they close first."""


TICK_S: Final = 1.0
"""How often the `Date` header is renewed; uvicorn itself looks ten times a second whether it is to end."""


class Server(uvicorn.Server):
    """Ends when it is told to by `end`, at once, and leaves the signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._over: Final = asyncio.Event()

    def end(self) -> None:
        """Take no more connections, let calls under way finish, then end."""
        self.should_exit = True
        self._over.set()

    async def main_loop(self) -> None:
        """Wait for the end."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), TICK_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture nothing."""
        yield


def server(asgi: ASGIApp, *, drain_s: float, certificate: Certificate | None = None) -> Server:
    """Return a server that lets calls under way finish for `drain_s` seconds, to be given its socket."""
    configuration = uvicorn.Config(
        asgi,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(drain_s)),
        ssl_context_factory=None if certificate is None else lambda _config, _default: certificate.context,
    )
    return Server(configuration)
