"""The bundle endpoint on its own loopback port.

Rule 1: the port and the token are random, and only the OPA that is started with them knows them.
Rule 2: the server runs in the supervisor's event loop and does not change its signal handlers.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncGenerator
from typing import Final

from msgspec import Struct

from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, RESOURCE, BundleEndpoint
from gateway.listening.server import server

DRAIN_S: Final = 2


class BundleServiceAddress(Struct, frozen=True):
    """The values that an OPA needs to poll: service URL, resources below it, bearer token."""

    url: str
    resource: str
    token: str
    emergency: str = EMERGENCY_RESOURCE


@contextlib.asynccontextmanager
async def listening() -> AsyncGenerator[tuple[BundleEndpoint, BundleServiceAddress]]:
    """Yield the endpoint while it listens; on exit, end the waiting requests and close the port."""
    token = secrets.token_urlsafe(32)
    endpoint = BundleEndpoint(token)
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.bind(("127.0.0.1", 0))
    taken.listen(16)
    listener = server(endpoint, drain_s=DRAIN_S)
    running = asyncio.create_task(listener.serve(sockets=[taken]))
    try:
        yield endpoint, BundleServiceAddress(f"http://127.0.0.1:{taken.getsockname()[1]}", RESOURCE, token)
    finally:
        endpoint.close()
        listener.end()
        await running
        taken.close()
