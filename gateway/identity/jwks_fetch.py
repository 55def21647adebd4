"""HTTP client for the key sets of issuers.

Rule 1: redirects are not followed, so that only the issuer's own URL is trusted; at most MAX_BYTES are read.
Rule 2: a failure returns None and logs a warning, at most one a minute for each URL; the caller refuses the token.
Rule 3: the first success after a failure is also logged.
Rule 4: the CA file of an issuer is trusted only for its own key set.
"""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx

from gateway.identity.issuer import Issuer
from gateway.identity.issuer_keys import unreadable
from gateway.identity.key_server_tls import authorities

MAX_BYTES: Final = 1024 * 1024
TIMEOUT_S: Final = 5.0
EVERY_S: Final = 60.0
_OK: Final = 200
_OF_URL: Final = "Check that the issuer's `keys_url` is the URL of its key set (`jwks_uri`) and is reachable."
_OF_AUTHORITY: Final = "Set the issuer's `ca_file` to the CA of this certificate, or correct `keys_url`."

_LOG: Final = logging.getLogger(__name__)


class HttpFetch:
    """A `Fetch` of the key sets of these issuers; call `close` at the end. OSError if a CA file cannot be used."""

    def __init__(
        self,
        issuers: Sequence[Issuer] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock: Final = clock
        self._failing: Final[dict[str, _Failing]] = {}
        self._client = _client(None, transport)
        self._by_url = {each.keys_url: _client(each.ca_file) for each in issuers if each.ca_file is not None}

    async def __call__(self, url: str) -> bytes | None:
        try:
            return await self._read(url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            told = str(error) or type(error).__name__
            return self._failed(url, told, _OF_AUTHORITY if "CERTIFICATE_VERIFY_FAILED" in told else _OF_URL)

    async def close(self) -> None:
        for client in (self._client, *self._by_url.values()):
            await client.aclose()

    async def _read(self, url: str) -> bytes | None:
        client = self._by_url.get(url, self._client)
        async with client.stream("GET", url, headers={"accept": "application/json"}) as response:
            if response.status_code != _OK:
                return self._failed(url, f"it returned HTTP {response.status_code}")
            document = bytearray()
            async for chunk in response.aiter_bytes():
                document += chunk
                if len(document) > MAX_BYTES:
                    return self._failed(url, f"it is larger than {MAX_BYTES} bytes")
            return self._fetched(url, bytes(document))

    def _fetched(self, url: str, document: bytes) -> bytes | None:
        if problem := unreadable(document):
            return self._failed(url, problem)
        if self._failing.pop(url, None) is not None:
            _LOG.warning("the key set of an issuer can be fetched again", extra={"url": url})
        return document

    def _failed(self, url: str, error: str, remedy: str = _OF_URL) -> None:
        failing = self._failing.setdefault(url, _Failing())
        failing.left_out += 1
        if self._clock() - failing.logged < EVERY_S:
            return
        known = {"url": url, "error": error, "remedy": remedy, "left_out": failing.left_out - 1}
        _LOG.warning(
            "the key set of an issuer cannot be fetched: its tokens will be refused when the known keys are too old",
            extra=known,
        )
        failing.left_out, failing.logged = 0, self._clock()


class _Failing:
    """A URL whose key set cannot be fetched: the time of the last log line, and the number of attempts since."""

    def __init__(self) -> None:
        self.logged = float("-inf")
        self.left_out = 0


def _client(ca_file: Path | None, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    trust = True if ca_file is None else authorities(ca_file)
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, verify=trust, transport=transport)
