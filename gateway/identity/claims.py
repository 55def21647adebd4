"""Conversion of a verified JWT's claims into a Principal, or an authentication error.

Rule 1: time is an argument; a token without an expiry is refused.
Rule 2: groups, scopes, a subject or a client that are absent or unreadable are unknown, never empty.
Rule 3: a claim that the gateway itself uses refuses the token if it has the wrong type.
Rule 4: a token that is bound to a key (RFC 9449, RFC 8705) is not a bearer token and is refused.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

from gateway.admission.principal import UNCARRIED, ClaimField, Principal
from gateway.identity.auth_errors import Cause, Unauthenticated
from gateway.identity.claim_fields import ClaimReader, UnreadClaim, UnusableClaim
from gateway.identity.issuer import Issuer
from gateway.identity.token_warnings import shown

LEEWAY_S: Final = 30
Value = TypeVar("Value")
_MAX_DELEGATION: Final = 8
_SHOWN: Final = 3
"""Maximum number of audiences in a refusal."""


class ClaimError(Exception):
    """A claim for which the token is refused."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause: Cause = cause
        self.reason = reason


def principal(claims: Mapping[str, Any], issuer: Issuer, audience: str, now: float) -> Principal | Unauthenticated:
    """Return the caller that the claims name; `now` is seconds since the epoch."""
    try:
        _check_times(claims, now)
        _check_audience(claims, audience)
        _check_binding(claims)
        found = _principal(claims, issuer)
    except ClaimError as unusable:
        return Unauthenticated(cause=unusable.cause, reason=unusable.reason)
    except UnusableClaim as malformed:
        return Unauthenticated(cause="claims_unusable", reason=str(malformed))
    missing = set(issuer.required_scopes) - set(found.scopes)
    if missing:
        reason = f"The token lacks the scope {' '.join(sorted(missing))}."
        if "scopes" in found.unknown:
            reason += f" Its claim `{issuer.scopes_claim}` is absent or is not a list of texts."
        return Unauthenticated(cause="scope_insufficient", reason=reason, scopes=issuer.required_scopes)
    return found


def unread(claims: Mapping[str, Any], issuer: Issuer) -> dict[ClaimField, UnreadClaim]:
    """Return the unknown fields of the caller, with the reasons."""
    return ClaimReader(claims, issuer).unread()


def expiry(claims: Mapping[str, Any]) -> float:
    """Return the expiry of the token, in seconds since the epoch."""
    return _moment(claims, "exp")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    late = now - _moment(claims, "exp")
    if late >= LEEWAY_S:
        raise ClaimError("token_expired", f"The token expired {late:.0f} seconds ago by the gateway's clock.")
    for name in ("nbf", "iat"):
        early = _moment(claims, name) - now if name in claims else 0
        if early > LEEWAY_S:
            by = f"is {early:.0f} seconds ahead of the gateway's clock; at most {LEEWAY_S} are accepted"
            raise ClaimError(
                "token_not_yet_valid", f"The token is not valid yet: its `{name}` {by}. Compare the clocks."
            )


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise ClaimError("claims_unusable", f"The token's `{name}` is missing or is not a time.")
    return float(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _check_audience(claims: Mapping[str, Any], audience: str) -> None:
    value = claims.get("aud")
    named = [value] if isinstance(value, str) else _strings(value, "aud")
    if audience not in named:
        told = ", ".join(f"`{shown(name)}`" for name in named[:_SHOWN]) or "nothing"
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        raise ClaimError("audience_wrong", f"The token is for {told}{more} (`aud`), not for `{audience}`.")


def _check_binding(claims: Mapping[str, Any]) -> None:
    if "cnf" in claims:
        raise ClaimError("claims_unusable", "The token is bound to a key and cannot be used as a bearer token.")


def _principal(claims: Mapping[str, Any], issuer: Issuer) -> Principal:
    read = ClaimReader(claims, issuer)
    client_id, subject = _known(read.client_id), _known(read.subject)
    if not (client_id or subject):
        raise ClaimError("claims_unusable", "The token names neither a subject nor a client.")
    others = {name: value for name, value in claims.items() if name not in UNCARRIED}
    return Principal(
        kind="user" if subject and subject != client_id else "service",
        method="jwt",
        issuer=issuer.issuer,
        subject=subject,
        client_id=client_id,
        groups=_known(read.groups) or [],
        scopes=_known(read.scopes) or [],
        claims=others,
        delegation=_delegation(claims),
        unknown=[*read.unread()],
    )


def _known(read: Value | UnreadClaim) -> Value | None:
    """Return the value; None if it could not be read, which the principal lists in `unknown`."""
    return None if isinstance(read, UnreadClaim) else read


def _strings(value: Any, name: str) -> list[str]:
    if not isinstance(value, list):
        raise ClaimError("claims_unusable", f"The token's `{name}` is missing or is not a list of texts.")
    items = cast("list[Any]", value)
    if not all(isinstance(item, str) for item in items):
        raise ClaimError("claims_unusable", f"The token's `{name}` is not a list of texts.")
    return items


def _delegation(claims: Mapping[str, Any]) -> list[str]:
    """Return the actors of nested `act` claims (RFC 8693 section 4.1), the current one first."""
    actors: list[str] = []
    holder = claims
    while "act" in holder:
        value: Any = holder["act"]
        if not isinstance(value, Mapping) or len(actors) == _MAX_DELEGATION:
            raise ClaimError("claims_unusable", "The token's `act` is not a valid chain of actors, or is too long.")
        holder = cast("Mapping[str, Any]", value)
        actors.append(_named(holder))
    return actors


def _named(actor: Mapping[str, Any]) -> str:
    for name in ("sub", "client_id"):
        if name in actor:
            value: Any = actor[name]
            if not isinstance(value, str) or not value or not value.isprintable():
                raise ClaimError("claims_unusable", f"`{name}` in the token's `act` is not printable text.")
            return value
    return ""
