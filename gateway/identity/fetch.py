"""Fetches an issuer's key set over HTTP.

Rule 1: no redirect is followed: an issuer's word is taken at its own address only; at most MAX_BYTES are read.
Rule 2: whatever goes wrong is None and a line in the log; the caller refuses.
Rule 3: an authority that one issuer names counts for its key set only.
"""

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx

from gateway.identity.issuer import Issuer

MAX_BYTES: Final = 1024 * 1024
TIMEOUT_S: Final = 5.0
_OK: Final = 200
_OF_URL: Final = "See whether `keys_url` of the issuer is the address of its key set (`jwks_uri`), and can be reached."
_OF_AUTHORITY: Final = "Name the authority of its certificate in `ca_file` of the issuer, or correct `keys_url`."

_LOG: Final = logging.getLogger(__name__)


class HttpFetch:
    """A `Fetch` of the key sets of these issuers; `close` ends it. OSError if an authority's file cannot be used."""

    def __init__(self, issuers: Sequence[Issuer] = ()) -> None:
        self._client = _client(None)
        self._by_url = {each.keys_url: _client(each.ca_file) for each in issuers if each.ca_file is not None}

    async def __call__(self, url: str) -> bytes | None:
        try:
            return await self._read(url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            told = str(error) or type(error).__name__
            remedy = _OF_AUTHORITY if "CERTIFICATE_VERIFY_FAILED" in told else _OF_URL
            _LOG.warning("key set cannot be fetched", extra={"url": url, "error": told, "remedy": remedy})
            return None

    async def close(self) -> None:
        for client in (self._client, *self._by_url.values()):
            await client.aclose()

    async def _read(self, url: str) -> bytes | None:
        client = self._by_url.get(url, self._client)
        async with client.stream("GET", url, headers={"accept": "application/json"}) as response:
            if response.status_code != _OK:
                told = f"it answered HTTP {response.status_code}"
                _LOG.warning("key set cannot be fetched", extra={"url": url, "error": told, "remedy": _OF_URL})
                return None
            document = bytearray()
            async for chunk in response.aiter_bytes():
                document += chunk
                if len(document) > MAX_BYTES:
                    _LOG.warning("key set is too large", extra={"url": url, "limit": MAX_BYTES})
                    return None
            return bytes(document)


def authorities(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the system's authorities and those of the file; OSError if it cannot be used."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _client(ca_file: Path | None) -> httpx.AsyncClient:
    trust = True if ca_file is None else authorities(ca_file)
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, verify=trust)
