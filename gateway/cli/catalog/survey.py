"""Everything that a server lists, in the server's words.

Rule 1: all pages are read. A list without an end is an error, not a partial result.
Rule 2: a list that the server does not offer is empty. A list that it announces and then refuses is reported instead;
if it refuses every list, the survey fails.
Rule 3: a server that does not announce a list is asked for all of them, because other clients can get answers too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.admission.instructions import KEY
from gateway.admission.listing import LISTS, items_of
from gateway.cli.catalog.http_exchange import ServerError, Unreachable
from gateway.cli.catalog.mcp_client import TIMEOUT_S, Conversation, talking
from gateway.protocol.json_values import as_object, as_text
from gateway.secrets import Secret

MOST_PAGES: Final = 1_000
MOST_ITEMS: Final = 50_000
_NO_METHOD: Final = -32601
_CAPABILITY: Final = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resources",
}


class Survey(Struct, frozen=True, kw_only=True):
    """A server's description of itself and its lists; every text in it is the server's own, unescaped."""

    url: str
    revision: str
    name: str
    title: str
    version: str
    lists: dict[str, list[dict[str, Any]]]
    """The entries by list method: `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list`."""
    failed: Mapping[str, str] = {}
    """The method of an announced list that could not be read -> the reason, safe to show."""
    instructions: Any = None
    """The server's instructions for models; a text unless the server is broken."""


def survey(
    url: str, secret: Secret | None = None, *, timeout_s: float = TIMEOUT_S, ca_file: Path | None = None
) -> Survey:
    """Ask a running server for all its lists; raise `Unreachable` with the reason if it does not answer."""
    with talking(url, secret, timeout_s=timeout_s, ca_file=ca_file) as conversation:
        said = conversation.open()
        info = _info(said)
        lists, failed = _lists(conversation, as_object(said.get("capabilities")) or {})
        return Survey(
            url=url,
            revision=conversation.revision,
            name=as_text(info.get("name")) or "",
            title=as_text(info.get("title")) or as_text(info.get("name")) or "",
            version=as_text(info.get("version")) or "",
            lists=lists,
            failed=failed,
            instructions=said.get(KEY),
        )


def _lists(
    conversation: Conversation, capabilities: Mapping[str, Any]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Return the lists that the server answers, and the reasons for the announced ones that are missing."""
    lists: dict[str, list[dict[str, Any]]] = {method: [] for method in _CAPABILITY}
    announced = [method for method, capability in _CAPABILITY.items() if capability in capabilities]
    failed: dict[str, str] = {}
    for method in announced or _CAPABILITY:
        try:
            lists[method] = _listed(conversation, method)
        except Unreachable as problem:
            failed[method] = str(problem)
    if announced and len(failed) == len(announced):
        raise Unreachable("\n".join(dict.fromkeys(failed.values())))
    return lists, failed if announced else {}


def _info(said: dict[str, Any]) -> dict[str, Any]:
    """Return the server's `Implementation`: in the result (legacy), or in its `_meta` (modern)."""
    meta = as_object(said.get("_meta")) or {}
    return as_object(said.get("serverInfo")) or as_object(meta.get("io.modelcontextprotocol/serverInfo")) or {}


def _listed(conversation: Conversation, method: str) -> list[dict[str, Any]]:
    """Return all entries of a list, except those that are not objects with a name."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        result = _page(conversation, method, cursor)
        entries = items_of(method, result)
        if entries is None:
            raise Unreachable(f"{conversation.url} answered {method} without a list.")
        found += [entry for item in entries if (entry := as_object(item)) and as_text(entry.get(LISTS[method].key))]
        following = as_text(result.get("nextCursor"))
        if not following:
            return found
        if following in seen or len(found) > MOST_ITEMS:
            break
        seen.add(following)
        cursor = following
    raise Unreachable(f"{conversation.url} does not finish the list {method}: {len(found)} entries so far.")


def _page(conversation: Conversation, method: str, cursor: str | None) -> dict[str, Any]:
    try:
        return conversation.ask(method, {"cursor": cursor} if cursor else {})
    except ServerError as refusal:
        if refusal.code == _NO_METHOD and method == "resources/templates/list":
            return {LISTS[method].member: []}
        raise Unreachable(f"{conversation.url} announces {method} but does not answer it: {refusal}") from refusal
