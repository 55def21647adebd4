"""A conversation with a server, as a client of either era: one request, one result.

Rule 1: `gateway.protocol` parses the messages, so digests here equal those of the gateway.
Rule 2: a failure is an `Unreachable` that states what is wrong, where, and the remedy. A server's words are escaped.
Rule 3: redirects are not followed, and the credential is sent only to the given URL.
Rule 4: the session is the one of the `initialize` result. A session id from any other response is ignored.
Rule 5: every capability of a client is declared, because some servers list tools only to clients that declare them.
Requests of the server are not answered: the lists do not depend on them.
"""

import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.cli.catalog.http_exchange import LONGEST_S, NoResponse, ServerError, ServerReply, Unreachable, exchange
from gateway.cli.live_decisions import escaped
from gateway.protocol.json_values import as_list, as_text
from gateway.protocol.revisions import LEGACY, MODERN, era_of
from gateway.secrets import Secret
from gateway.version import VERSION

TIMEOUT_S: Final = 30.0
_PROBE_S: Final = 10.0
"""Seconds for `server/discover`, which servers of the legacy era may leave unanswered."""
_CLOSE_S: Final = 5.0
"""Seconds for the end of the session, which a server need not confirm."""
_MODERN: Final = MODERN[-1]
_CLIENT: Final = {"name": "mcp-admission", "version": VERSION}
_CAPABILITIES: Final[Mapping[str, Any]] = {
    "sampling": {"context": {}, "tools": {}},
    "elicitation": {"form": {}, "url": {}},
    "roots": {},
}
_TASKS: Final[Mapping[str, Any]] = {
    "list": {},
    "cancel": {},
    "requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}},
}
"""Tasks of clients, which do not exist in the newest revision."""
_META: Final = "io.modelcontextprotocol/"


class Conversation:
    """A conversation with one server, from the first probe to the end of the session."""

    def __init__(self, client: httpx.Client, url: str, secret: Secret | None) -> None:
        """Store an open client; `talking` makes one."""
        self.url: Final = url
        self.revision = ""
        """The protocol revision that both sides speak; empty until `open`."""
        self._client: Final = client
        self._secret: Final = secret
        self._session = ""
        self._ids = 0

    def open(self) -> dict[str, Any]:
        """Return the server's description of itself: the result of `server/discover`, else of `initialize`."""
        try:
            found = self._asked("server/discover", {}, _MODERN, longest_s=_PROBE_S).result()
        except (ServerError, NoResponse):
            found = {}
        if _MODERN in (as_list(found.get("supportedVersions")) or []):
            self.revision = _MODERN
            return found
        return self._initialize()

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a request; raise `ServerError` if the server answers with an error."""
        return self._asked(method, params, self.revision).result()

    def close(self) -> None:
        """End the session if there is one; failures are ignored."""
        if self._session:
            try:
                patience = min(_CLOSE_S, self._client.timeout.read or _CLOSE_S)
                self._client.delete(self.url, headers=self._headers(self.revision), timeout=patience)
            except httpx.HTTPError:
                return

    def _asked(
        self, method: str, params: dict[str, Any], revision: str, *, longest_s: float = LONGEST_S
    ) -> ServerReply:
        self._ids += 1
        modern = era_of(revision) == "modern"
        if modern:
            params = {**params, "_meta": _meta(revision)}
        message = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": params}
        headers = self._headers(revision) | ({"mcp-method": method} if modern else {})
        return exchange(self._client, self.url, message, headers, longest_s=longest_s)

    def _initialize(self) -> dict[str, Any]:
        reply, found = self._initialized()
        revision = as_text(found.get("protocolVersion")) or ""
        if era_of(revision) != "legacy":
            raise Unreachable(
                f"{self.url} uses the protocol revision {escaped(revision[:40])!r}, which is not supported."
            )
        self.revision = revision
        self._session = reply.session
        try:
            message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            exchange(self._client, self.url, message, self._headers(revision))
        except NoResponse:
            return found  # its lists will show whether the server continues without it
        return found

    def _initialized(self) -> tuple[ServerReply, dict[str, Any]]:
        """Send `initialize` in the newest revision that the server accepts."""
        refused: ServerError | None = None
        for revision in reversed(LEGACY):
            capabilities = {**_CAPABILITIES, "tasks": _TASKS}
            params = {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": _CLIENT}
            reply = self._asked("initialize", params, "")
            try:
                return reply, reply.result()
            except ServerError as refusal:
                refused = refused or refusal
                if refusal.code is None:
                    break
        raise Unreachable(
            f"{self.url} does not accept `initialize`: {refused}. Is this the URL of its MCP endpoint? The "
            "2024-11-05 transport, with a separate endpoint for events, is not supported."
        ) from refused

    def _headers(self, revision: str) -> dict[str, str]:
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if revision:
            headers["mcp-protocol-version"] = revision
        if self._session:
            headers["mcp-session-id"] = self._session
        return headers | ({self._secret.name: self._secret.value} if self._secret else {})


@contextmanager
def talking(
    url: str, secret: Secret | None, *, timeout_s: float = TIMEOUT_S, ca_file: Path | None = None
) -> Generator[Conversation]:
    """Hold a conversation with the server at a URL; its session ends with the block."""
    headers = {"user-agent": f"mcp-admission/{VERSION}", "accept-encoding": "identity"}
    trust = ssl.create_default_context()
    if ca_file is not None:
        _trust_also(trust, ca_file)
    with httpx.Client(
        timeout=timeout_s, follow_redirects=False, headers=headers, verify=trust, trust_env=False
    ) as client:
        conversation = Conversation(client, url, secret)
        try:
            yield conversation
        finally:
            conversation.close()


def _trust_also(trust: ssl.SSLContext, ca_file: Path) -> None:
    try:
        trust.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(f"{ca_file} does not contain a certificate authority in PEM format.") from error


def _meta(revision: str) -> dict[str, Any]:
    return {
        f"{_META}protocolVersion": revision,
        f"{_META}clientInfo": _CLIENT,
        f"{_META}clientCapabilities": dict(_CAPABILITIES),
    }
