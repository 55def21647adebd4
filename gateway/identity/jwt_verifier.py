"""JWTs of configured issuers become Principals (RFC 7519, RFC 8725, RFC 9068).

Rule 1: the issuer's settings say which algorithms count; the token's header only picks one of them.
Rule 2: nothing of the token is believed before its signature is, except which issuer and key to ask.
Rule 3: what is wrong with a token names both sides: what it says and what is expected. The operator's log has it too.
Rule 4: a verified token is remembered until it ends, REMEMBER_S at most; never more than MAX_REMEMBERED of them.
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
from gateway.identity.jwks import MAX_TRIED, Absent, Fetch, KeySet
from gateway.identity.token_warnings import TokenWarnings, shown

REMEMBER_S: Final = 300.0
MAX_REMEMBERED: Final = 10_000

_OF_SETTINGS: Final[frozenset[Cause]] = frozenset(
    {"issuer_unknown", "algorithm_refused", "key_unknown", "audience_wrong", "token_not_yet_valid"}
)
"""Refusals that wrong settings or a wrong clock often cause: these are logged."""

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_SIGNATURE_ONLY: Final[Options] = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip
"""Claims are judged by `claims`, against the time that the caller gives."""

_CAUSES: Final[dict[Absent, Cause]] = {
    "key_unknown": "key_unknown",
    "keys_ambiguous": "key_unknown",
    "keys_unavailable": "keys_unavailable",
}


class _Remembered(Struct, frozen=True):
    verified: Verified
    until: float


class _Head(Struct, frozen=True):
    """What an unverified token says about who could verify it."""

    issuer: Issuer
    algorithm: str
    kid: str | None


class JwtVerifier:
    """Verifies the JWTs of some issuers."""

    def __init__(self, issuers: Sequence[Issuer], fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: KeySet(issuer.keys_url, fetch, clock) for issuer in issuers}
        self._notices = TokenWarnings(clock)
        self._remembered: OrderedDict[bytes, _Remembered] = OrderedDict()

    async def verify(self, token: str, resource: str, now: float) -> Verified | Unauthenticated:
        """The caller, for a token that is presented to `resource` at `now` (seconds since the epoch)."""
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
        """The claims that a key of the issuer signed; the set is fetched again before one that has no key id fails."""
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
        told = f"The token is signed with `{shown(algorithm)}` (`alg`); of its issuer the gateway accepts {accepted}."
        return _refused("algorithm_refused", told)
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        told = f"The token is of the type `{shown(kind)}` (`typ`), not an access token: `at+jwt` or `JWT`."
        return _refused("token_malformed", told)
    if kid is not None and not isinstance(kid, str):
        return _refused("token_malformed", "The token's key id is not a text.")
    return _Head(issuer, algorithm, kid)


def _signed(token: str, keys: tuple[PyJWK, ...], algorithm: str) -> dict[str, Any] | Unauthenticated:
    """The claims, if one of the keys signed them."""
    for key in keys:
        try:
            return jwt.decode(token, key, algorithms=[algorithm], options=_SIGNATURE_ONLY)
        except InvalidSignatureError:
            continue
        except (PyJWTError, ValueError, TypeError, RecursionError):
            return _refused("token_malformed", "The token cannot be read.")
    return _refused("signature_wrong", "The token's signature is wrong.")


def _absent(absent: Absent, head: _Head) -> str:
    match absent:
        case "keys_unavailable":
            return "The issuer's keys cannot be fetched just now; try again shortly."
        case "keys_ambiguous":
            several = f"more than {MAX_TRIED} keys of its issuer fit {head.algorithm}"
            return f"It is not clear which key signed the token (`kid`): {several}. Let the issuer write key ids."
        case "key_unknown" if head.kid is None:
            return f"The token names no key (`kid`), and none that its issuer publishes fits {head.algorithm}."
        case "key_unknown":
            return f"The issuer publishes no key `{shown(head.kid)}` (`kid`) that fits {head.algorithm}."


def _stranger(name: object, issuers: Iterable[str]) -> str:
    """Refuse an issuer that is not accepted, and name the accepted one that it resembles."""
    if not isinstance(name, str):
        return "The token names no issuer (`iss`)."
    told = f"The token's issuer `{shown(name)}` (`iss`) is not one that this gateway accepts."
    near = next((each for each in issuers if _bare(each) == _bare(name)), None)
    if near is None:
        return told
    differs = "by a slash at the end" if near.rstrip("/") == name.rstrip("/") else "in scheme, case or port"
    return f"{told} It differs from the configured `{near}` {differs}: correct `issuer` in the gateway's settings."


def _bare(issuer: str) -> str:
    """An issuer without what people get wrong: slashes at the end, scheme, case, default port."""
    return re.sub(r"^https?://|:(443|80)(?=/|$)", "", issuer.strip().casefold().rstrip("/"))


def _refused(cause: Cause, reason: str) -> Unauthenticated:
    return Unauthenticated(cause=cause, reason=reason)
