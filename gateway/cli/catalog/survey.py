"""Everything that a server lists, as it lists it.

Rule 1: all pages are read; a listing that does not end is an error, not a part of a catalog.
Rule 2: what a server does not offer is empty; a list that it announces and then refuses is an error.
"""

from typing import Any, Final

from msgspec import Struct

from gateway.admission.listing import LISTS, items_of
from gateway.cli.catalog.conversation import TIMEOUT_S, Conversation, talking
from gateway.cli.catalog.exchange import Refused, Unreachable
from gateway.protocol.values import as_object, as_text
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
    """What a server said of itself and of what it offers; every text in it is the server's own, unescaped."""

    url: str
    revision: str
    name: str
    title: str
    version: str
    lists: dict[str, list[dict[str, Any]]]
    """The entries by list method: `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list`."""


def survey(url: str, secret: Secret | None = None, *, timeout_s: float = TIMEOUT_S) -> Survey:
    """Ask a running server for everything that it lists; `Unreachable` says why there is no answer."""
    with talking(url, secret, timeout_s=timeout_s) as conversation:
        said = conversation.open()
        info = _info(said)
        capabilities = as_object(said.get("capabilities")) or {}
        offered = [method for method, capability in _CAPABILITY.items() if capability in capabilities]
        return Survey(
            url=url,
            revision=conversation.revision,
            name=as_text(info.get("name")) or "",
            title=as_text(info.get("title")) or as_text(info.get("name")) or "",
            version=as_text(info.get("version")) or "",
            lists={method: _listed(conversation, method) if method in offered else [] for method in _CAPABILITY},
        )


def _info(said: dict[str, Any]) -> dict[str, Any]:
    """Return the server's `Implementation`: in the result (legacy), or in its `_meta` (modern)."""
    meta = as_object(said.get("_meta")) or {}
    return as_object(said.get("serverInfo")) or as_object(meta.get("io.modelcontextprotocol/serverInfo")) or {}


def _listed(conversation: Conversation, method: str) -> list[dict[str, Any]]:
    """Return all entries of a list; those that are no objects with a name are no entries."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        result = _page(conversation, method, cursor)
        entries = items_of(method, result)
        if entries is None:
            raise Unreachable(f"{conversation.url} answers {method} without a list.")
        found += [entry for item in entries if (entry := as_object(item)) and as_text(entry.get(LISTS[method].key))]
        following = as_text(result.get("nextCursor"))
        if not following:
            return found
        if following == cursor or len(found) > MOST_ITEMS:
            break
        cursor = following
    raise Unreachable(f"{conversation.url} does not come to an end with {method}: {len(found)} entries so far.")


def _page(conversation: Conversation, method: str, cursor: str | None) -> dict[str, Any]:
    try:
        return conversation.ask(method, {"cursor": cursor} if cursor else {})
    except Refused as refusal:
        if refusal.code == _NO_METHOD and method == "resources/templates/list":
            return {LISTS[method].member: []}
        raise Unreachable(f"{conversation.url} announces {method} and does not answer it: {refusal}") from refusal
