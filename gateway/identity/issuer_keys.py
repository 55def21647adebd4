"""Public keys of one issuer (JWKS), fetched when needed and cached.

Rule 1: an unknown key id causes a new fetch, at most once in REFETCH_S, because callers choose key ids.
Rule 2: only one fetch runs at a time; other requests wait for it.
Rule 3: keys that could not be confirmed for MAX_STALE_S are dropped, so that a withdrawn key stops working.
Rule 4: every key that matches the key id and the algorithm of a token is tried. If more than MAX_TRIED match, none is.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, cast

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

FRESH_S: Final = 300.0
MAX_STALE_S: Final = 3600.0
REFETCH_S: Final = 5.0
MAX_KEYS: Final = 100
MAX_TRIED: Final = 8
"""The limit bounds the cost of tokens without a key id, which any caller can send."""
MIN_RSA_BITS: Final = 2048
CURVES: Final[Mapping[str, str]] = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}

Fetch = Callable[[str], Awaitable[bytes | None]]
"""A function that returns the document at a URL, or None if it is unavailable."""

Absent = Literal["key_unknown", "keys_ambiguous", "keys_unavailable"]
_LOG: Final = logging.getLogger(__name__)


class KeySet:
    """The keys of one issuer; `clock` returns monotonic seconds."""

    def __init__(self, url: str, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._keys: list[Mapping[str, Any]] = []
        self._made: dict[tuple[str | tuple[()] | None, str], tuple[PyJWK, ...]] = {}
        self._confirmed: float | None = None
        self._tried: float | None = None
        self._failed = True
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> tuple[PyJWK, ...] | Absent:
        """Return the keys that match the id and the algorithm; if no key has the id, those without an id."""
        if self._age() >= FRESH_S:
            await self._refresh()
        found = self._select(kid, algorithm)
        if not found:
            await self._refresh()
            found = self._select(kid, algorithm)
        if self._age() >= MAX_STALE_S or (not found and self._failed):
            return "keys_unavailable"
        if len(found) > MAX_TRIED:
            return "keys_ambiguous"
        return found or "key_unknown"

    async def renewed(self) -> bool:
        """Fetch again unless it is too soon; return whether the keys were fetched."""
        before = self._confirmed
        await self._refresh()
        return self._confirmed != before

    async def close(self) -> None:
        """Cancel a running fetch."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _age(self) -> float:
        return float("inf") if self._confirmed is None else self._clock() - self._confirmed

    async def _refresh(self) -> None:
        """Fetch unless the last attempt is too recent; join a running fetch."""
        if self._fetching is None:
            if self._tried is not None and self._clock() - self._tried < REFETCH_S:
                return
            self._fetching = asyncio.ensure_future(self._load())
        await asyncio.shield(self._fetching)

    async def _load(self) -> None:
        try:
            document = await self._fetch(self._url)
            keys = _keys(document) if document is not None else None
            self._failed = not isinstance(keys, list)
            if isinstance(keys, list):
                self._keys, self._made, self._confirmed = keys, {}, self._clock()
            problem = keys if isinstance(keys, str) else "" if keys is None or keys else _NO_KEY
            if problem:
                _LOG.warning("key set cannot be used", extra={"url": self._url, "error": problem, "remedy": _REMEDY})
        finally:
            self._tried = self._clock()
            self._fetching = None

    def _select(self, kid: str | None, algorithm: str) -> tuple[PyJWK, ...]:
        """Return the keys with an id, or those without any if no key has it. Callers' ids never enter the cache."""
        named = [key for key in self._keys if key.get("kid") == kid] if kid is not None else self._keys
        kept = (kid if named else _UNNAMED, algorithm)
        made = self._made.get(kept)
        if made is None:
            made = _fitting(named or [key for key in self._keys if key.get("kid") is None], algorithm)
            if made:
                self._made[kept] = made
        return made


_UNNAMED: Final = ()
"""The cache key of keys without an id, which no id can equal."""
_NO_KEY: Final = "it contains no public key for signatures"
_REMEDY: Final = "Check that the issuer's `keys_url` is the URL of its key set (`jwks_uri`)."


def unreadable(document: bytes) -> str:
    """Return why a document is not a key set; empty if it is one, even without a usable key."""
    keys = _keys(document)
    return keys if isinstance(keys, str) else ""


def _keys(document: bytes) -> list[Mapping[str, Any]] | str:
    """Return the document's signing keys, or the reason why it is not a key set."""
    try:
        content: Any = json.loads(document)
    except (ValueError, RecursionError):
        is_page = document.lstrip()[:1] == b"<"
        return "it is an HTML or XML page, not a key set" if is_page else "it is not JSON"
    keys: Any = cast("dict[str, Any]", content).get("keys") if isinstance(content, dict) else None
    if not isinstance(keys, list):
        return "it is JSON without a `keys` list"
    every = cast("list[Any]", keys)
    if len(every) > MAX_KEYS:
        return f"it has {len(every)} keys; at most {MAX_KEYS} are supported"
    entries = [cast("dict[str, Any]", key) for key in every if isinstance(key, dict)]
    return [key for key in entries if _signs(key)]


def _signs(key: Mapping[str, Any]) -> bool:
    """Return whether a key is a public signature key; shared and private keys in a set are not used."""
    operations: Any = key.get("key_ops", ["verify"])
    is_for_signatures = key.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    return key.get("kty") in ("RSA", "EC", "OKP") and is_for_signatures and "d" not in key


def _fitting(keys: list[Mapping[str, Any]], algorithm: str) -> tuple[PyJWK, ...]:
    return tuple(made for key in keys if (made := _made(key, algorithm)) is not None)


def _made(key: Mapping[str, Any], algorithm: str) -> PyJWK | None:
    if key.get("alg", algorithm) != algorithm:
        return None
    try:
        made = PyJWK(dict(key), algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
    return made if _fits(made.key, algorithm) else None


def _fits(key: object, algorithm: str) -> bool:
    """Return whether an RSA key is long enough or a curve fits the algorithm (RFC 7518 section 3.4)."""
    if isinstance(key, EllipticCurvePublicKey):
        return key.curve.name == CURVES.get(algorithm)
    return not isinstance(key, RSAPublicKey) or key.key_size >= MIN_RSA_BITS
