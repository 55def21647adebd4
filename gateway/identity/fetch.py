"""Fetches an issuer's key set over HTTP.

Rule 1: no redirect is followed: an issuer's word is taken at its own address only; at most MAX_BYTES are read.
Rule 2: whatever goes wrong is None and a line in the log; the caller refuses.
"""

import logging
from typing import Final

import httpx

MAX_BYTES: Final = 1024 * 1024
TIMEOUT_S: Final = 5.0
_OK: Final = 200

_LOG: Final = logging.getLogger(__name__)


class HttpFetch:
    """A `Fetch` over one HTTP client; `close` ends it."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def __call__(self, url: str) -> bytes | None:
        try:
            return await self._read(url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            _LOG.warning("key set cannot be fetched", extra={"url": url, "error": str(error) or type(error).__name__})
            return None

    async def close(self) -> None:
        await self._client.aclose()

    async def _read(self, url: str) -> bytes | None:
        async with self._client.stream("GET", url, headers={"accept": "application/json"}) as response:
            if response.status_code != _OK:
                _LOG.warning("key set cannot be fetched", extra={"url": url, "status": response.status_code})
                return None
            document = bytearray()
            async for chunk in response.aiter_bytes():
                document += chunk
                if len(document) > MAX_BYTES:
                    _LOG.warning("key set is too large", extra={"url": url, "limit": MAX_BYTES})
                    return None
            return bytes(document)
