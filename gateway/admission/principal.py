"""The principal behind a connection, verified at the edge.

Rule 1: every field except `claims` is a fact that the gateway checked itself.
Rule 2: a credential never appears here, only the digest of a service token.
Rule 3: a field that the token does not state in a readable form is named in `unknown`: an empty field alone means
"none".
"""

from typing import Any, Final, Literal, get_args

from msgspec import Struct

ClaimField = Literal["client_id", "groups", "scopes", "subject"]
"""A field of a principal that a JWT claim fills. The settings of the issuer name the claim."""
CLAIM_FIELDS: Final[tuple[ClaimField, ...]] = get_args(ClaimField)
UNCARRIED: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "act", "client_id", "azp", "scope"})
"""Claims of a token that are not in `claims`: they have their own field, or are not about the caller."""


class Principal(Struct, frozen=True, kw_only=True):
    """The verified caller (DESIGN section 3). The bundle maps it to an agent."""

    kind: Literal["user", "service", "anonymous"]
    method: Literal["token", "jwt", "mtls", "none"]
    issuer: str | None = None
    subject: str | None = None
    client_id: str | None = None
    groups: list[str] = []
    scopes: list[str] = []
    claims: dict[str, Any] = {}
    delegation: list[str] = []
    unknown: list[ClaimField] = []
    """The fields whose claim could not be read, sorted, each once: it is absent, elsewhere, or of another form.

    Such a field is empty (`[]` or null), and nothing may be concluded from that: a rule that restricts by it applies, a
    rule that permits by it does not. Other claims are in `claims` if the token has them; a claim that is missing there
    is unknown too, and is not listed here. A service token and an anonymous caller have no claims: `[]`.
    """
    credential_sha256: str | None = None
    """Lower-case hexadecimal SHA-256 of a presented service token, else null."""

    @property
    def key(self) -> str:
        """A string that differs if the principal differs; it binds sessions and streams."""
        issuer, subject, client_id = self.issuer or "", self.subject or "", self.client_id or ""
        return f"{self.method}\x1f{issuer}\x1f{subject}\x1f{client_id}\x1f{self.credential_sha256 or ''}"


class Verified(Struct, frozen=True, kw_only=True):
    """A caller with a valid credential, and the expiry of that credential."""

    principal: Principal
    until: float | None = None
    """Expiry of the credential, in seconds since the epoch; null if only the bundle knows it, not the gateway."""


ANONYMOUS = Principal(kind="anonymous", method="none")
