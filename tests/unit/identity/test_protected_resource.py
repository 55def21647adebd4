"""Challenges and metadata of a protected resource."""

import json
import re
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.auth_errors import CAUSES, Unauthenticated
from gateway.identity.protected_resource import ProtectedResourceMetadata, Resource
from tests.unit.identity.support import NAME, ORIGIN, issuer

DOCUMENT = f"{ORIGIN}/.well-known/oauth-protected-resource/servers/slack/mcp"


def resource(**more: Any) -> Resource:
    return Resource(ORIGIN + "/", (issuer(**more),))


async def asked(
    app: ProtectedResourceMetadata, path: str, method: str = "GET"
) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": path}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_without_a_token_the_challenge_names_the_document_and_no_error() -> None:
    failure = Unauthenticated(cause="token_missing", reason="Present a token.")
    assert resource().challenge("slack", failure) == f'Bearer resource_metadata="{DOCUMENT}"'


def test_a_bad_token_is_refused_with_a_reason() -> None:
    failure = Unauthenticated(cause="token_expired", reason="The token has expired.")
    wanted = f'Bearer error="invalid_token", error_description="The token has expired.", resource_metadata="{DOCUMENT}"'
    assert resource().challenge("slack", failure) == wanted


def test_the_scopes_that_are_needed_are_all_named() -> None:
    failure = Unauthenticated(cause="scope_insufficient", reason="More.", scopes=("mcp", "read"))
    shown = resource(required_scopes=("mcp", "read")).challenge("slack", failure)
    assert 'error="insufficient_scope"' in shown
    assert 'scope="mcp read"' in shown


def test_without_issuers_the_challenge_leads_nowhere() -> None:
    failure = Unauthenticated(cause="token_missing", reason="Present a token.")
    assert Resource(ORIGIN, ()).challenge("slack", failure) == "Bearer"


@given(st.text(), st.sampled_from(sorted(CAUSES)))
def test_a_challenge_is_one_line_of_printable_ascii(reason: str, cause: Any) -> None:
    shown = resource().challenge("slack", Unauthenticated(cause=cause, reason=reason))
    assert shown.isascii()
    assert shown.isprintable()
    assert re.sub(r"\\.", "", shown).count('"') % 2 == 0


async def test_every_server_has_a_document_of_its_own() -> None:
    app = ProtectedResourceMetadata(resource(required_scopes=("mcp",)))
    status, headers, body = await asked(app, DOCUMENT.removeprefix(ORIGIN))
    assert (status, headers[b"content-type"]) == (200, b"application/json")
    assert json.loads(body) == {
        "resource": f"{ORIGIN}/servers/slack/mcp",
        "authorization_servers": [NAME],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp"],
    }


async def test_head_is_answered_without_a_body() -> None:
    status, _, body = await asked(ProtectedResourceMetadata(resource()), DOCUMENT.removeprefix(ORIGIN), "HEAD")
    assert (status, body) == (200, b"")


@pytest.mark.parametrize(
    "end", ["", "/", "/servers", "/servers/slack", "/servers/A/mcp", "/servers/a/b/mcp", "/servers/a/mcp/"]
)
async def test_there_is_nothing_at_the_root_or_elsewhere(end: str) -> None:
    status, _, body = await asked(ProtectedResourceMetadata(resource()), f"/.well-known/oauth-protected-resource{end}")
    assert (status, body) == (404, b"")


async def test_without_issuers_there_is_no_document() -> None:
    status, _, _ = await asked(ProtectedResourceMetadata(Resource(ORIGIN, ())), DOCUMENT.removeprefix(ORIGIN))
    assert status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_documents_are_only_read(method: str) -> None:
    status, headers, _ = await asked(ProtectedResourceMetadata(resource()), DOCUMENT.removeprefix(ORIGIN), method)
    assert (status, headers[b"allow"]) == (405, b"GET, HEAD")


@given(st.text())
async def test_any_path_is_answered(path: str) -> None:
    assert (await asked(ProtectedResourceMetadata(resource()), path))[0] == 404
