"""Who is behind a connection, verified at the edge.

Rule 1: every field but `claims` is a fact that the gateway checked itself.
Rule 2: a credential never appears here, only the digest of a service token.
"""

from typing import Any, Literal

from msgspec import Struct


class Principal(Struct, frozen=True, kw_only=True):
    """The verified caller (DESIGN section 3); which agent it is, the bundle knows."""

    kind: Literal["user", "service", "anonymous"]
    method: Literal["token", "jwt", "mtls", "none"]
    issuer: str | None = None
    subject: str | None = None
    client_id: str | None = None
    groups: list[str] = []
    scopes: list[str] = []
    claims: dict[str, Any] = {}
    delegation: list[str] = []
    credential_sha256: str | None = None
    """Lower-case hexadecimal SHA-256 of a presented service token, else null."""

    @property
    def key(self) -> str:
        """One string that differs whenever the principal differs; binds sessions and streams."""
        issuer, subject, client_id = self.issuer or "", self.subject or "", self.client_id or ""
        return f"{self.method}\x1f{issuer}\x1f{subject}\x1f{client_id}\x1f{self.credential_sha256 or ''}"


class Verified(Struct, frozen=True, kw_only=True):
    """A caller whose credential is good, and how long it is."""

    principal: Principal
    until: float | None = None
    """When the credential ends, in seconds since the epoch; null where the gateway cannot know, but the bundle does."""


ANONYMOUS = Principal(kind="anonymous", method="none")
