"""HTTP transports on aiohttp: a Unix socket to a managed OPA, or TCP with TLS and a token to any other OPA.

Rule 1: the transport does not follow redirects and ignores proxy environment variables. It connects only to the
address in the settings.
"""

import ssl
from typing import Final

import aiohttp
from msgspec import Struct

from gateway.opa.transport import CONNECTIONS, MAX_ANSWER, Broken, Exchanged

_JSON: Final = {"Content-Type": "application/json"}


class RemoteOpa(Struct, frozen=True, kw_only=True):
    """Address and credentials of an OPA that the gateway does not manage. An empty `ca_file` means the system's CAs."""

    url: str
    token: str = ""
    ca_file: str = ""


class AiohttpTransport:
    """A pool of aiohttp connections to one OPA. Create it inside the running event loop."""

    def __init__(self, base: str, connector: aiohttp.BaseConnector, headers: dict[str, str]) -> None:
        self._base = base
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
        )

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        """Return OPA's response. Canceling the call aborts the exchange and OPA's evaluation."""
        try:
            return await self._once(path, body)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError):
            return await self._again(path, body)
        except (aiohttp.ClientError, OSError) as error:
            return Broken(f"OPA cannot be reached: {type(error).__name__}")

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()

    async def _again(self, path: str, body: bytes | None) -> Exchanged | Broken:
        try:
            return await self._once(path, body)
        except (aiohttp.ClientError, OSError) as error:
            return Broken(f"OPA cannot be reached: {type(error).__name__}")

    async def _once(self, path: str, body: bytes | None) -> Exchanged | Broken:
        method, headers = ("GET", None) if body is None else ("POST", _JSON)
        call = self._session.request(method, self._base + path, data=body, headers=headers, allow_redirects=False)
        async with call as response:
            if (response.content_length or 0) > MAX_ANSWER:
                return Broken("OPA's response is too large")
            return Exchanged(response.status, await response.read())


def remote_exchange(remote: RemoteOpa, connections: int = CONNECTIONS) -> AiohttpTransport:
    """Return the transport for an OPA that the gateway does not manage."""
    context = ssl.create_default_context(cafile=remote.ca_file or None)
    connector = aiohttp.TCPConnector(ssl=context, limit=connections, ttl_dns_cache=30)
    headers = {"Authorization": f"Bearer {remote.token}"} if remote.token else {}
    return AiohttpTransport(remote.url.rstrip("/"), connector, headers)
