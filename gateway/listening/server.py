"""uvicorn as a part of our processes, not as their owner."""

import contextlib
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from gateway.listening.certificate import Certificate

KEEP_ALIVE_S = 75
"""Seconds that an idle connection is kept: longer than the clients', so that they close first."""


class Server(uvicorn.Server):
    """Ends when `should_exit` is set, and leaves the signals alone."""

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
