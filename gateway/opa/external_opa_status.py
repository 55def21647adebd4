"""opa-python-client for an OPA that the gateway does not manage.

Rule 1: only for status and readiness, never for a decision: the library repeats queries and drops error bodies.
"""

import ssl
from typing import Any, Final

import aiohttp
from opa_client.opa_async import AsyncOpaClient

from gateway.opa.aiohttp_transport import RemoteOpa

SECONDS: Final = 2.0


class RemoteClient(AsyncOpaClient):
    """opa-python-client with the CAs of the settings; the library itself supports only the system's."""

    def __init__(self, remote: RemoteOpa, **options: Any) -> None:
        super().__init__(retries=0, **options)  # pyright: ignore[reportUnknownMemberType]
        self._ca_file = remote.ca_file or None
        self._bearer = {"Authorization": f"Bearer {remote.token}"} if remote.token else {}

    async def _init_session(self) -> None:
        self._connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self._ca_file))
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        self._session = aiohttp.ClientSession(headers=self._bearer, connector=self._connector, timeout=timeout)
