"""The bundle endpoint on a loopback port of its own.

Rule 1: the port and the token are random, and known only to the OPA that is started with them.
Rule 2: the server lives in the supervisor's event loop and leaves its signals alone.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncGenerator, Generator

import uvicorn
from msgspec import Struct

from gateway.bundle.serve import EMERGENCY_RESOURCE, RESOURCE, BundleEndpoint


class Address(Struct, frozen=True):
    """What an OPA needs in order to poll: service URL, resources below it, bearer token."""

    url: str
    resource: str
    token: str
    emergency: str = EMERGENCY_RESOURCE


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def listening() -> AsyncGenerator[tuple[BundleEndpoint, Address]]:
    """The endpoint while it can be reached; leaving lets go of everyone who waits and closes the port."""
    token = secrets.token_urlsafe(32)
    endpoint = BundleEndpoint(token)
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.bind(("127.0.0.1", 0))
    taken.listen(16)
    server = _Server(
        uvicorn.Config(
            endpoint,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            ws="none",
        )
    )
    running = asyncio.create_task(server.serve(sockets=[taken]))
    try:
        yield endpoint, Address(f"http://127.0.0.1:{taken.getsockname()[1]}", RESOURCE, token)
    finally:
        endpoint.close()
        server.should_exit = True
        await running
        taken.close()
