"""Authentication errors as values.

Rule 1: every cause is one row of CAUSES; the status and the OAuth error follow from the row, never from the code that
fails.
Rule 2: `reason` may be shown to the caller, so it never quotes a credential.
"""

from typing import Final, Literal

from msgspec import Struct

Cause = Literal[
    "token_missing",
    "token_in_query",
    "token_malformed",
    "token_repeated",
    "token_unknown",
    "issuer_unknown",
    "algorithm_refused",
    "key_unknown",
    "keys_unavailable",
    "signature_wrong",
    "token_expired",
    "token_not_yet_valid",
    "audience_wrong",
    "claims_unusable",
    "scope_insufficient",
]
Error = Literal["", "invalid_request", "invalid_token", "insufficient_scope"]


class AuthErrorRow(Struct, frozen=True):
    """The response to one cause (RFC 6750 section 3.1)."""

    status: Literal[400, 401, 403, 503]
    error: Error


CAUSES: Final[dict[Cause, AuthErrorRow]] = {
    "token_missing": AuthErrorRow(401, ""),
    "token_in_query": AuthErrorRow(400, "invalid_request"),
    "token_malformed": AuthErrorRow(401, "invalid_token"),
    "token_repeated": AuthErrorRow(400, "invalid_request"),
    "token_unknown": AuthErrorRow(401, "invalid_token"),
    "issuer_unknown": AuthErrorRow(401, "invalid_token"),
    "algorithm_refused": AuthErrorRow(401, "invalid_token"),
    "key_unknown": AuthErrorRow(401, "invalid_token"),
    "keys_unavailable": AuthErrorRow(503, ""),
    "signature_wrong": AuthErrorRow(401, "invalid_token"),
    "token_expired": AuthErrorRow(401, "invalid_token"),
    "token_not_yet_valid": AuthErrorRow(401, "invalid_token"),
    "audience_wrong": AuthErrorRow(401, "invalid_token"),
    "claims_unusable": AuthErrorRow(401, "invalid_token"),
    "scope_insufficient": AuthErrorRow(403, "insufficient_scope"),
}
"""`token_unknown` means that the bundle rejected a well-formed service token: no agent has it, or it has expired."""


class Unauthenticated(Struct, frozen=True, kw_only=True):
    """A caller that is refused; `cause` is the public reason code, from a closed set."""

    cause: Cause
    reason: str
    scopes: tuple[str, ...] = ()
    """The scopes that a token needs; set if a token with more scopes would be accepted."""

    @property
    def status(self) -> int:
        """The HTTP status of the response; 503 means that the issuer's keys are unavailable at the moment."""
        return CAUSES[self.cause].status

    @property
    def error(self) -> Error:
        """The OAuth error code of the challenge; empty if the request had no token."""
        return CAUSES[self.cause].error
