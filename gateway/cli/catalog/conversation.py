"""A conversation with a server, as a client of either era: one request, one result.

Rule 1: the protocol is read by `gateway.protocol`, so that what is digested here is what the gateway digests.
Rule 2: what goes wrong is an `Unreachable` that says what, where and what to do; a server's own words are escaped.
Rule 3: no redirect is followed, and the credential goes to the given URL alone.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import orjson

from gateway.cli.catalog.exchange import Refused, Unreachable, exchange
from gateway.cli.live import escaped
from gateway.protocol.revisions import LATEST_LEGACY, MODERN, era_of
from gateway.protocol.values import as_list, as_text
from gateway.secrets import Secret
from gateway.version import VERSION

TIMEOUT_S: Final = 30.0
_MODERN: Final = MODERN[-1]
_CLIENT: Final = {"name": "mcp-admission", "version": VERSION}
_META: Final = "io.modelcontextprotocol/"


class Conversation:
    """One server, from the first probe to the end of the session."""

    def __init__(self, client: httpx.Client, url: str, secret: Secret | None) -> None:
        """Take an open client; `talking` makes one."""
        self.url: Final = url
        self.revision = ""
        """The protocol revision that both sides speak; empty until `open`."""
        self._client: Final = client
        self._secret: Final = secret
        self._session = ""
        self._ids = 0

    def open(self) -> dict[str, Any]:
        """Return what the server says of itself: the result of `server/discover`, else of `initialize`."""
        try:
            found = self.ask("server/discover", {}, revision=_MODERN)
        except Refused:
            found = {}
        if _MODERN in (as_list(found.get("supportedVersions")) or []):
            self.revision = _MODERN
            return found
        return self._initialize()

    def ask(self, method: str, params: dict[str, Any], *, revision: str = "") -> dict[str, Any]:
        """Return the result of a request; `Refused` where the server answers with an error."""
        self._ids += 1
        spoken = revision or self.revision
        if era_of(spoken) == "modern":
            params = {**params, "_meta": _meta(spoken)}
        message = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        headers = self._headers(spoken) | ({"mcp-method": method} if era_of(spoken) == "modern" else {})
        reply = exchange(self._client, self.url, orjson.dumps(message), headers)
        self._session = self._session or reply.session
        return reply.result_of(self._ids)

    def close(self) -> None:
        """End the session, where there is one; how that goes matters to nobody."""
        if self._session:
            try:
                self._client.delete(self.url, headers=self._headers(self.revision))
            except httpx.HTTPError:
                return

    def _initialize(self) -> dict[str, Any]:
        params = {"protocolVersion": LATEST_LEGACY, "capabilities": {}, "clientInfo": _CLIENT}
        try:
            found = self.ask("initialize", params)
        except Refused as refusal:
            raise Unreachable(
                f"{self.url} does not begin a conversation: {refusal}. Is this the URL of its MCP endpoint? The "
                "2024-11-05 transport, with its own endpoint for events, is not supported."
            ) from refusal
        revision = as_text(found.get("protocolVersion")) or ""
        if era_of(revision) != "legacy":
            raise Unreachable(f"{self.url} speaks the revision {escaped(revision[:40])!r}, which is not supported.")
        self.revision = revision
        body = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
        exchange(self._client, self.url, body, self._headers(revision))
        return found

    def _headers(self, revision: str) -> dict[str, str]:
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if revision:
            headers["mcp-protocol-version"] = revision
        if self._session:
            headers["mcp-session-id"] = self._session
        return headers | ({self._secret.name: self._secret.value} if self._secret else {})


@contextmanager
def talking(url: str, secret: Secret | None, *, timeout_s: float = TIMEOUT_S) -> Generator[Conversation]:
    """Hold a conversation with the server at a URL; its session ends with the block."""
    headers = {"user-agent": f"mcp-admission/{VERSION}", "accept-encoding": "identity"}
    with httpx.Client(timeout=timeout_s, follow_redirects=False, headers=headers) as client:
        conversation = Conversation(client, url, secret)
        try:
            yield conversation
        finally:
            conversation.close()


def _meta(revision: str) -> dict[str, Any]:
    return {
        f"{_META}protocolVersion": revision,
        f"{_META}clientInfo": _CLIENT,
        f"{_META}clientCapabilities": {},
    }
