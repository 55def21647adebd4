"""A request's credential becomes a Principal, or the reason why not.

Rule 1: a credential that is presented and bad is refused, also where anonymous callers are welcome.
Rule 2: a service token is verified as far as its form; whether it is known, and which agent it is, the bundle says.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from gateway.admission.principal import ANONYMOUS, Principal, Verified
from gateway.identity import tokens
from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.bearer import credential
from gateway.identity.issuer import Issuer
from gateway.identity.jwks import Fetch
from gateway.identity.jwks_fetch import HttpFetch
from gateway.identity.jwt_verifier import JwtVerifier
from gateway.identity.protected_resource import Resource


class Authenticator:
    """Verifies callers; `close` at the end. `fetch` and `clock` (monotonic seconds) are given in tests only."""

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
        """The caller of a request to that server; ASGI's headers and query string, `now` in seconds since the epoch."""
        presented = credential(headers, query)
        if presented is None:
            return Verified(principal=ANONYMOUS) if self._anonymous else _MISSING
        if isinstance(presented, Unauthenticated):
            return presented
        if presented.startswith(tokens.PREFIX):
            return _service(presented)
        return await self._jwts.verify(presented, self.resource.name(server_id), now)

    def challenge(self, server_id: str, failure: Unauthenticated) -> str:
        """The value of `WWW-Authenticate` for a 401 or 403."""
        return self.resource.challenge(server_id, failure)

    async def close(self) -> None:
        """End what is under way."""
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
