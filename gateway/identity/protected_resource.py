"""The gateway as an OAuth protected resource: resource names, challenges and metadata (RFC 9728).

Rule 1: every server is a separate resource, named by the public URL. Nothing is served at the origin's root, which
clients would use if a server's own document were missing.
Rule 2: the document is the same for every server id, so it does not reveal which servers exist.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import orjson

from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.issuer import Issuer

PREFIX: Final = "/.well-known/oauth-protected-resource"
_PATH: Final = re.compile(re.escape(PREFIX) + r"/servers/([a-z0-9][a-z0-9._-]{0,62})/mcp")
_CACHE: Final = b"max-age=300"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Resource:
    """The gateway as a resource server, by its public URL (an origin without a trailing slash)."""

    def __init__(self, public_url: str, issuers: Sequence[Issuer]) -> None:
        self._origin = public_url.rstrip("/")
        self._issuers = tuple(issuers)

    def name(self, server_id: str) -> str:
        """Return the canonical URI of a server, which a token must have as its audience."""
        return f"{self._origin}/servers/{server_id}/mcp"

    def challenge(self, server_id: str, failure: Unauthenticated) -> str:
        """Return the value of `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1)."""
        scopes = failure.scopes or self._scopes()
        values = {
            "error": failure.error,
            "error_description": failure.reason if failure.error else "",
            "scope": " ".join(scopes),
            "resource_metadata": f"{self._origin}{PREFIX}/servers/{quote(server_id)}/mcp" if self._issuers else "",
        }
        shown = [f'{name}="{_quoted(value)}"' for name, value in values.items() if value]
        return f"Bearer {', '.join(shown)}" if shown else "Bearer"

    def metadata(self, server_id: str) -> dict[str, Any] | None:
        """Return the RFC 9728 document, or None without a configured issuer, because it must name one."""
        if not self._issuers:
            return None
        scopes = self._scopes()
        return {
            "resource": self.name(server_id),
            "authorization_servers": [issuer.issuer for issuer in self._issuers],
            "bearer_methods_supported": ["header"],
            **({"scopes_supported": list(scopes)} if scopes else {}),
        }

    def _scopes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(scope for issuer in self._issuers for scope in issuer.required_scopes))


class ProtectedResourceMetadata:
    """ASGI application for every server's document below `/.well-known/oauth-protected-resource`."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive  # a body would not change the answer
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"", ((b"allow", b"GET, HEAD"),))
            return
        match = _PATH.fullmatch(scope["path"])
        document = self._resource.metadata(match[1]) if match else None
        if document is None:
            await _answer(send, 404, b"", ())
            return
        body = orjson.dumps(document) if scope["method"] == "GET" else b""
        await _answer(send, 200, body, ((b"content-type", b"application/json"), (b"cache-control", _CACHE)))


async def _answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def _quoted(text: str) -> str:
    """Return the text as the content of an RFC 9110 quoted-string, in printable ASCII (RFC 6750 section 3)."""
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
