"""Health and bundle status of an OPA: through the socket of a managed OPA, or through opa-python-client.

Rule 1: these requests are never on the hot path and always have a deadline of their own.
Rule 2: an unknown status is None, and None is not healthy.
"""

from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct, field

from gateway.opa.aiohttp_transport import RemoteOpa
from gateway.opa.answer import BUNDLE
from gateway.opa.transport import Exchanged, Transport

_OK: Final = 200


class BundleStatus(Struct, frozen=True):
    """OPA's status of the policy bundle. Times are RFC 3339 text, empty if OPA has none."""

    last_successful_request: str = ""
    active_revision: str = ""
    code: str = ""
    message: str = ""


class OpaStatus(Protocol):
    """Source of OPA's health and status, queried at intervals; the caller sets the timeout."""

    async def healthy(self) -> bool: ...
    async def status(self) -> BundleStatus | None: ...
    async def close(self) -> None: ...


class _Status(Struct):
    bundles: dict[str, BundleStatus] = field(default_factory=dict[str, BundleStatus])


class _Answer(Struct):
    result: _Status


class UnixOpaStatus:
    """Status of a managed OPA."""

    def __init__(self, exchange: Transport) -> None:
        self._exchange = exchange

    async def healthy(self) -> bool:
        """Return whether a policy bundle is active."""
        answer = await self._exchange.exchange("/health?bundles")
        return isinstance(answer, Exchanged) and answer.status == _OK

    async def status(self) -> BundleStatus | None:
        """Return the bundle's status, or None if OPA does not report it."""
        answer = await self._exchange.exchange("/v1/status")
        if not isinstance(answer, Exchanged) or answer.status != _OK:
            return None
        try:
            return msgspec.json.decode(answer.body, type=_Answer).result.bundles.get(BUNDLE)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    async def close(self) -> None:
        """Do nothing: the owner closes the transport."""


class RemoteOpaStatus:
    """Status of an OPA that the gateway does not manage. Create it inside the running event loop."""

    def __init__(self, remote: RemoteOpa) -> None:
        from gateway.opa.external_opa_status import RemoteClient  # noqa: PLC0415 - a managed OPA needs none of its 60 modules

        url = urlsplit(remote.url)
        self._opened = False
        self._client: Any = RemoteClient(
            remote,
            host=url.hostname or "",
            port=url.port or (443 if url.scheme == "https" else 80),
            ssl=url.scheme == "https",
        )

    async def healthy(self) -> bool:
        """Return whether a policy bundle is active."""
        await self._open()
        return bool(await self._client.check_health(query={"bundles": "true"}))

    async def status(self) -> BundleStatus | None:
        """Return the bundle's status, or None if OPA does not report it."""
        await self._open()
        try:
            document = await self._client.get_status()
            return msgspec.convert(document, _Answer).result.bundles.get(BUNDLE)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, msgspec.ValidationError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close_connection()

    async def _open(self) -> None:
        if not self._opened:
            await self._client.__aenter__()
            self._opened = True
