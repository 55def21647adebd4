"""JWTs of configured issuers become Principals (RFC 7519, RFC 8725, RFC 9068).

Rule 1: the issuer's settings say which algorithms count; the token's header only picks one of them.
Rule 2: nothing of the token is believed before its signature is, except which issuer and key to ask.
Rule 3: a verified token is remembered until it ends, REMEMBER_S at most; never more than MAX_REMEMBERED of them.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

import jwt
from jwt.exceptions import InvalidSignatureError, PyJWTError
from jwt.types import Options
from msgspec import Struct

from gateway.admission.principal import Principal, Verified
from gateway.identity import claims
from gateway.identity.issuer import Issuer
from gateway.identity.keys import Absent, Fetch, KeySet
from gateway.identity.outcome import Cause, Unauthenticated

REMEMBER_S: Final = 300.0
MAX_REMEMBERED: Final = 10_000

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_SIGNATURE_ONLY: Final[Options] = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip
"""Claims are judged by `claims`, against the time that the caller gives."""

_ABSENT: Final[dict[Absent, str]] = {
    "key_unknown": "The token is signed with a key that its issuer does not publish.",
    "keys_unavailable": "The issuer's keys cannot be fetched just now; try again shortly.",
}


class _Remembered(Struct, frozen=True):
    verified: Verified
    until: float


class _Head(Struct, frozen=True):
    """What an unverified token says about who could verify it."""

    issuer: Issuer
    algorithm: str
    kid: str | None


class Jwts:
    """Verifies the JWTs of some issuers."""

    def __init__(self, issuers: Sequence[Issuer], fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: KeySet(issuer.keys_url, fetch, clock) for issuer in issuers}
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()

    async def verify(self, token: str, resource: str, now: float) -> Verified | Unauthenticated:
        """The caller, for a token that is presented to `resource` at `now` (seconds since the epoch)."""
        digest = hashlib.sha256(f"{resource}\n{token}".encode()).digest()
        known = self._remembered.get(digest)
        if known is not None and now < known.until:
            self._remembered.move_to_end(digest)
            return known.verified
        head = self._head(token)
        if isinstance(head, Unauthenticated):
            return head
        return await self._verify(token, head, resource, digest, now)

    async def close(self) -> None:
        """End fetches that are under way."""
        for keys in self._keys.values():
            await keys.close()

    def _head(self, token: str) -> _Head | Unauthenticated:
        try:
            read = jwt.decode_complete(token, options={"verify_signature": False, **_SIGNATURE_ONLY})
        except (PyJWTError, ValueError, RecursionError):
            return _refused("token_malformed", "The token is neither a service token nor a JWT.")
        name: Any = read["payload"].get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        return _head(issuer, read["header"])

    async def _verify(
        self, token: str, head: _Head, resource: str, digest: bytes, now: float
    ) -> Verified | Unauthenticated:
        key = await self._keys[head.issuer.issuer].find(head.kid, head.algorithm)
        if isinstance(key, str):
            return _refused(key, _ABSENT[key])
        try:
            payload = jwt.decode(token, key, algorithms=[head.algorithm], options=_SIGNATURE_ONLY)
        except InvalidSignatureError:
            return _refused("signature_wrong", "The token's signature is wrong.")
        except (PyJWTError, ValueError, TypeError, RecursionError):
            return _refused("token_malformed", "The token cannot be read.")
        found = claims.principal(payload, head.issuer, head.issuer.audience or resource, now)
        if not isinstance(found, Principal):
            return found
        verified = Verified(principal=found, until=claims.expiry(payload))
        self._remember(digest, _Remembered(verified, min(claims.expiry(payload), now + REMEMBER_S)))
        return verified

    def _remember(self, digest: bytes, remembered: _Remembered) -> None:
        self._remembered[digest] = remembered
        self._remembered.move_to_end(digest)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)


def _head(issuer: Issuer | None, header: dict[str, Any]) -> _Head | Unauthenticated:
    if issuer is None:
        return _refused("issuer_unknown", "The token's issuer is not one that this gateway accepts.")
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if algorithm not in issuer.algorithms:
        return _refused("algorithm_refused", "The token's signature algorithm is not accepted for its issuer.")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        return _refused("token_malformed", "The token is of a type that is no access token.")
    if kid is not None and not isinstance(kid, str):
        return _refused("token_malformed", "The token's key id is not a text.")
    return _Head(issuer, algorithm, kid)


def _refused(cause: Cause, reason: str) -> Unauthenticated:
    return Unauthenticated(cause=cause, reason=reason)
