"""Verifier of the JWTs of configured issuers (RFC 7519, RFC 8725, RFC 9068).

Rule 1: the issuer's settings list the accepted algorithms; the token's header only selects one of them.
Rule 2: before the signature is verified, only the issuer and the key id of the token are used.
Rule 3: an error names both the value in the token and the expected value. It is also logged for the operator.
Rule 4: a verified token is cached until it expires, for REMEMBER_S at most; the cache holds up to MAX_REMEMBERED
tokens.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import jwt
from jwt import PyJWK
from jwt.exceptions import InvalidSignatureError, PyJWTError
from jwt.types import Options
from msgspec import Struct

from gateway.admission.principal import Principal, Verified
from gateway.identity import claims
from gateway.identity.auth_errors import Cause, Unauthenticated
from gateway.identity.issuer import Issuer
from gateway.identity.issuer_keys import MAX_TRIED, Absent, Fetch, KeySet
from gateway.identity.token_warnings import TokenWarnings, shown

REMEMBER_S: Final = 300.0
MAX_REMEMBERED: Final = 10_000

_OF_SETTINGS: Final[frozenset[Cause]] = frozenset(
    {"issuer_unknown", "algorithm_refused", "key_unknown", "audience_wrong", "token_not_yet_valid"}
)
"""Refusals that are often caused by wrong settings or a wrong clock; these are logged."""

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_SIGNATURE_ONLY: Final[Options] = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip
"""`claims` checks the claims, at the time that the caller passes."""

_CAUSES: Final[dict[Absent, Cause]] = {
    "key_unknown": "key_unknown",
    "keys_ambiguous": "key_unknown",
    "keys_unavailable": "keys_unavailable",
}


class _Remembered(Struct, frozen=True):
    verified: Verified
    until: float


class _Head(Struct, frozen=True):
    """The issuer, algorithm and key id that an unverified token names."""

    issuer: Issuer
    algorithm: str
    kid: str | None


class JwtVerifier:
    """Verifier of the JWTs of some issuers."""

    def __init__(self, issuers: Sequence[Issuer], fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: KeySet(issuer.keys_url, fetch, clock) for issuer in issuers}
        self._notices = TokenWarnings(clock)
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()

    async def verify(self, token: str, resource: str, now: float) -> Verified | Unauthenticated:
        """Return the caller for a token that is presented to `resource` at `now` (seconds since the epoch)."""
        digest = hashlib.sha256(f"{resource}\n{token}".encode()).digest()
        known = self._remembered.get(digest)
        if known is not None and now < known.until:
            self._remembered.move_to_end(digest)
            return known.verified
        head = self._head(token)
        found = head if isinstance(head, Unauthenticated) else await self._verify(token, head, resource, digest, now)
        if isinstance(found, Unauthenticated) and found.cause in _OF_SETTINGS:
            self._notices.warn("token is refused", found.cause, cause=found.cause, reason=found.reason)
        return found

    async def close(self) -> None:
        """Cancel running fetches."""
        for keys in self._keys.values():
            await keys.close()

    def _head(self, token: str) -> _Head | Unauthenticated:
        try:
            read = jwt.decode_complete(token, options={"verify_signature": False, **_SIGNATURE_ONLY})
        except (PyJWTError, ValueError, RecursionError):
            return _refused("token_malformed", "The token is neither a service token nor a JWT.")
        name: Any = read["payload"].get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            return _refused("issuer_unknown", _stranger(name, self._issuers))
        return _head(issuer, read["header"])

    async def _verify(
        self, token: str, head: _Head, resource: str, digest: bytes, now: float
    ) -> Verified | Unauthenticated:
        payload = await self._payload(token, head)
        if isinstance(payload, Unauthenticated):
            return payload
        found = claims.principal(payload, head.issuer, head.issuer.audience or resource, now)
        if not isinstance(found, Principal):
            return found
        self._report(payload, head.issuer)
        verified = Verified(principal=found, until=claims.expiry(payload))
        self._remember(digest, _Remembered(verified, min(claims.expiry(payload), now + REMEMBER_S)))
        return verified

    async def _payload(self, token: str, head: _Head) -> dict[str, Any] | Unauthenticated:
        """Return the claims that the issuer signed; fetch its keys again before a token without a key id fails."""
        keys = self._keys[head.issuer.issuer]
        found = await keys.find(head.kid, head.algorithm)
        if isinstance(found, str):
            return _refused(_CAUSES[found], _absent(found, head))
        payload = _signed(token, found, head.algorithm)
        is_guess = any(head.kid is None or key.key_id != head.kid for key in found)
        if isinstance(payload, Unauthenticated) and is_guess and await keys.renewed():
            found = await keys.find(head.kid, head.algorithm)
            payload = payload if isinstance(found, str) else _signed(token, found, head.algorithm)
        return payload

    def _report(self, payload: dict[str, Any], issuer: Issuer) -> None:
        for field, unread in claims.unread(payload, issuer).items():
            self._notices.warn(
                "claim cannot be read", issuer.issuer, field, issuer=issuer.issuer, unknown=field, reason=unread.why
            )

    def _remember(self, digest: bytes, remembered: _Remembered) -> None:
        self._remembered[digest] = remembered
        self._remembered.move_to_end(digest)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)


def _head(issuer: Issuer, header: dict[str, Any]) -> _Head | Unauthenticated:
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if algorithm not in issuer.algorithms:
        accepted = ", ".join(issuer.algorithms)
        told = f"The token is signed with `{shown(algorithm)}` (`alg`); the gateway accepts {accepted} of this issuer."
        return _refused("algorithm_refused", told)
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        told = f"The token has the type `{shown(kind)}` (`typ`); an access token has `at+jwt` or `JWT`."
        return _refused("token_malformed", told)
    if kid is not None and not isinstance(kid, str):
        return _refused("token_malformed", "The token's key id (`kid`) is not text.")
    return _Head(issuer, algorithm, kid)


def _signed(token: str, keys: tuple[PyJWK, ...], algorithm: str) -> dict[str, Any] | Unauthenticated:
    """Return the claims if one of the keys signed them."""
    for key in keys:
        try:
            return jwt.decode(token, key, algorithms=[algorithm], options=_SIGNATURE_ONLY)
        except InvalidSignatureError:
            continue
        except (PyJWTError, ValueError, TypeError, RecursionError):
            return _refused("token_malformed", "The token cannot be decoded.")
    return _refused("signature_wrong", "The token's signature is invalid.")


def _absent(absent: Absent, head: _Head) -> str:
    match absent:
        case "keys_unavailable":
            return "The issuer's keys cannot be fetched at the moment; try again shortly."
        case "keys_ambiguous":
            several = f"more than {MAX_TRIED} keys of its issuer match {head.algorithm}"
            return f"The signing key of the token is ambiguous (`kid`): {several}. Configure the issuer to set key ids."
        case "key_unknown" if head.kid is None:
            return f"The token has no key id (`kid`), and no published key of its issuer matches {head.algorithm}."
        case "key_unknown":
            return f"The issuer publishes no key with id `{shown(head.kid)}` (`kid`) that matches {head.algorithm}."


def _stranger(name: object, issuers: Iterable[str]) -> str:
    """Return the refusal of an issuer that is not accepted, with the accepted issuer that it resembles."""
    if not isinstance(name, str):
        return "The token has no issuer (`iss`)."
    told = f"The token's issuer `{shown(name)}` (`iss`) is not accepted by this gateway."
    near = next((each for each in issuers if _bare(each) == _bare(name)), None)
    if near is None:
        return told
    differs = "by a trailing slash" if near.rstrip("/") == name.rstrip("/") else "in scheme, case or port"
    return f"{told} It differs from the configured `{near}` {differs}: correct `issuer` in the gateway's settings."


def _bare(issuer: str) -> str:
    """Return an issuer without common mistakes: trailing slashes, scheme, case, default port."""
    return re.sub(r"^https?://|:(443|80)(?=/|$)", "", issuer.strip().casefold().rstrip("/"))


def _refused(cause: Cause, reason: str) -> Unauthenticated:
    return Unauthenticated(cause=cause, reason=reason)
