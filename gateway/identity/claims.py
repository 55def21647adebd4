"""A verified JWT's claims become a Principal, or the reason why they cannot.

Rule 1: time is an argument; a token without an end is refused.
Rule 2: a claim of the wrong type refuses the token: groups that cannot be read must not look like no groups.
Rule 3: a token that is bound to a key (RFC 9449, RFC 8705) is no bearer token and is refused as one.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, cast

from gateway.admission.principal import Principal
from gateway.identity.issuer import Issuer
from gateway.identity.outcome import Cause, Unauthenticated

LEEWAY_S: Final = 30
_MAX_DELEGATION: Final = 8
_ENVELOPE: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "act", "client_id", "azp", "scope"})
"""Claims that have a field of their own, or say nothing about the caller."""


class Unusable(Exception):  # noqa: N818  it never leaves this module
    """A claim that refuses the token."""

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause: Cause = cause
        self.reason = reason


def principal(claims: Mapping[str, Any], issuer: Issuer, audience: str, now: float) -> Principal | Unauthenticated:
    """The caller whom the claims name; `now` in seconds since the epoch."""
    try:
        _check_times(claims, now)
        _check_audience(claims, audience)
        _check_binding(claims)
        found = _principal(claims, issuer)
    except Unusable as unusable:
        return Unauthenticated(cause=unusable.cause, reason=unusable.reason)
    missing = set(issuer.required_scopes) - set(found.scopes)
    if missing:
        reason = f"The token lacks the scope {' '.join(sorted(missing))}."
        return Unauthenticated(cause="scope_insufficient", reason=reason, scopes=issuer.required_scopes)
    return found


def expiry(claims: Mapping[str, Any]) -> float:
    """When the token ends, in seconds since the epoch."""
    return _moment(claims, "exp")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    if now >= _moment(claims, "exp") + LEEWAY_S:
        raise Unusable("token_expired", "The token has expired.")
    for name in ("nbf", "iat"):
        if name in claims and now < _moment(claims, name) - LEEWAY_S:
            raise Unusable("token_not_yet_valid", f"The token is not valid yet ({name}).")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise Unusable("claims_unusable", f"The token's `{name}` is missing or not a time.")
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
        raise Unusable("audience_wrong", f"The token is not for {audience}.")


def _check_binding(claims: Mapping[str, Any]) -> None:
    if claims.get("cnf") is not None:
        raise Unusable("claims_unusable", "The token is bound to a key and cannot be used as a bearer token.")


def _principal(claims: Mapping[str, Any], issuer: Issuer) -> Principal:
    client_id, subject = _client_id(claims, issuer), _text(claims, "sub")
    if not (client_id or subject):
        raise Unusable("claims_unusable", "The token names neither a subject nor a client.")
    shown = {name: value for name, value in claims.items() if name not in _ENVELOPE and name != issuer.groups_claim}
    return Principal(
        kind="user" if subject and subject != client_id else "service",
        method="jwt",
        issuer=issuer.issuer,
        subject=subject,
        client_id=client_id,
        groups=_words(_claim(claims, issuer.groups_claim), issuer.groups_claim, split=False),
        scopes=_words(_claim(claims, issuer.scopes_claim), issuer.scopes_claim, split=True),
        claims=shown,
        delegation=_delegation(claims.get("act")),
    )


def _client_id(claims: Mapping[str, Any], issuer: Issuer) -> str | None:
    if issuer.client_id_claim:
        return _text(claims, issuer.client_id_claim)
    return _text(claims, "client_id") or _text(claims, "azp")


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = _claim(claims, name)
    if value is None:
        return None
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Unusable("claims_unusable", f"The token's `{name}` is not a text.")
    return value


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The claim of that name; else, for a dotted name, the value at that path (`realm_access.roles`)."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = cast("Mapping[str, Any]", value)[part]
    return value


def _words(value: Any, name: str, *, split: bool) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.split() if split else [value]
    return _strings(value, name)


def _strings(value: Any, name: str) -> list[str]:
    if not isinstance(value, list):
        raise Unusable("claims_unusable", f"The token's `{name}` is missing or not a list of texts.")
    items = cast("list[Any]", value)
    if not all(isinstance(item, str) for item in items):
        raise Unusable("claims_unusable", f"The token's `{name}` is not a list of texts.")
    return items


def _delegation(value: Any) -> list[str]:
    """The actors of nested `act` claims (RFC 8693 section 4.1), the current one first."""
    actors: list[str] = []
    while value is not None:
        if not isinstance(value, Mapping) or len(actors) == _MAX_DELEGATION:
            raise Unusable("claims_unusable", "The token's `act` cannot be read.")
        actor = cast("Mapping[str, Any]", value)
        actors.append(_text(actor, "sub") or _text(actor, "client_id") or "")
        value = actor.get("act")
    return actors
