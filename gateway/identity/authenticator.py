"""Authentication of requests: a credential becomes a Principal or an authentication error.

Rule 1: an invalid credential is refused, even if anonymous callers are allowed.
Rule 2: only the form of a service token is verified here; the bundle decides whether it is known, and which agent has
it.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from gateway.admission.principal import ANONYMOUS, Principal, Verified
from gateway.identity import tokens
from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.bearer import credential
from gateway.identity.issuer import Issuer
from gateway.identity.issuer_keys import Fetch
from gateway.identity.jwks_fetch import HttpFetch
from gateway.identity.jwt_verifier import JwtVerifier
from gateway.identity.protected_resource import Resource


class Authenticator:
    """Verifier of callers; call `close` at the end. `fetch` and `clock` (monotonic seconds) are set only in tests."""

    def __init__(
        self,
        resource: Resource,
        issuers: Sequence[Issuer],
        *,
        anonymous: bool,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.resource = resource
        self._anonymous = anonymous
        self._http = HttpFetch(issuers) if fetch is None and issuers else None
        self._jwts = JwtVerifier(issuers, fetch or self._http or _nothing, clock)

    async def verify(
        self, headers: Iterable[tuple[bytes, bytes]], server_id: str, now: float, query: bytes = b""
    ) -> Verified | Unauthenticated:
        """Return the caller of a request to a server, from ASGI's headers and query; `now` is in Unix seconds."""
        presented = credential(headers, query)
        if presented is None:
            return Verified(principal=ANONYMOUS) if self._anonymous else _MISSING
        if isinstance(presented, Unauthenticated):
            return presented
        if presented.startswith(tokens.PREFIX):
            return _service(presented)
        return await self._jwts.verify(presented, self.resource.name(server_id), now)

    def challenge(self, server_id: str, failure: Unauthenticated) -> str:
        """Return the value of `WWW-Authenticate` for a 401 or 403."""
        return self.resource.challenge(server_id, failure)

    async def close(self) -> None:
        """Cancel running fetches and close the HTTP client."""
        await self._jwts.close()
        if self._http is not None:
            await self._http.close()


_MISSING = Unauthenticated(cause="token_missing", reason="Present a token: `Authorization: Bearer <token>`.")


def _service(token: str) -> Verified | Unauthenticated:
    if not tokens.well_formed(token):
        return Unauthenticated(cause="token_malformed", reason="The service token is incomplete or mistyped.")
    return Verified(principal=Principal(kind="service", method="token", credential_sha256=tokens.digest(token)))


async def _nothing(url: str) -> bytes | None:
    del url
    return None
