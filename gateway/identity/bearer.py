"""Bearer token of a request (RFC 6750 section 2): exactly one, in the Authorization header.

Rule 1: a credential in the URL is refused, because URLs are logged.
Rule 2: two credentials are refused, because readers could differ in the one that they use.
"""

import re
from collections.abc import Iterable
from typing import Final

from gateway.identity.auth_errors import Unauthenticated

MAX_TOKEN_BYTES: Final = 16 * 1024
_TOKEN68: Final = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_IN_QUERY: Final = re.compile(rb"(^|[&;?])(access_token|id_token)=|mcpa_|%6dcpa_", re.IGNORECASE)


def credential(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> str | Unauthenticated | None:
    """Return the token, or None if the request has none. `headers` are ASGI's, with lower-case names."""
    if query and _IN_QUERY.search(query):
        return Unauthenticated(
            cause="token_in_query", reason="Send the token in the Authorization header, not the URL."
        )
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        return None
    if len(values) > 1:
        return Unauthenticated(cause="token_repeated", reason="Send one Authorization header instead of several.")
    return _token(values[0].strip(b" \t"))


def _token(value: bytes) -> str | Unauthenticated:
    scheme, _, text = value.partition(b" ")
    text = text.strip(b" ")
    if scheme.lower() != b"bearer" or not text:
        return Unauthenticated(cause="token_malformed", reason="Authorization must be `Bearer <token>`.")
    if len(text) > MAX_TOKEN_BYTES:
        return Unauthenticated(cause="token_malformed", reason=f"The token is longer than {MAX_TOKEN_BYTES} bytes.")
    if not _TOKEN68.fullmatch(text):
        return Unauthenticated(
            cause="token_malformed", reason="The token contains characters that are not allowed in a bearer token."
        )
    return text.decode("ascii")
