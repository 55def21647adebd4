"""Everything that a server lists, as it lists it.

Rule 1: all pages are read; a listing that does not end is an error, not a part of a catalog.
Rule 2: what a server does not offer is empty. A list that it announces and then refuses is reported and not empty;
if it refuses every list, there is no survey.
Rule 3: a server that announces no list is asked for all of them, because clients that ask get answers as well.
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
    """What a server said of itself and of what it offers; every text in it is the server's own, unescaped."""

    url: str
    revision: str
    name: str
    title: str
    version: str
    lists: dict[str, list[dict[str, Any]]]
    """The entries by list method: `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list`."""
    failed: Mapping[str, str] = {}
    """Why a list that the server announces could not be read, by its method; safe to show."""
    instructions: Any = None
    """What the server gives to models; a text unless it is broken."""


def survey(
    url: str, secret: Secret | None = None, *, timeout_s: float = TIMEOUT_S, ca_file: Path | None = None
) -> Survey:
    """Ask a running server for everything that it lists; `Unreachable` says why there is no answer."""
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
    """Return the lists that the server answers, and why those that it announces and does not answer are missing."""
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
    """Return all entries of a list; those that are no objects with a name are no entries."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        result = _page(conversation, method, cursor)
        entries = items_of(method, result)
        if entries is None:
            raise Unreachable(f"{conversation.url} answers {method} without a list.")
        found += [entry for item in entries if (entry := as_object(item)) and as_text(entry.get(LISTS[method].key))]
        following = as_text(result.get("nextCursor"))
        if not following:
            return found
        if following in seen or len(found) > MOST_ITEMS:
            break
        seen.add(following)
        cursor = following
    raise Unreachable(f"{conversation.url} does not come to an end with {method}: {len(found)} entries so far.")


def _page(conversation: Conversation, method: str, cursor: str | None) -> dict[str, Any]:
    try:
        return conversation.ask(method, {"cursor": cursor} if cursor else {})
    except ServerError as refusal:
        if refusal.code == _NO_METHOD and method == "resources/templates/list":
            return {LISTS[method].member: []}
        raise Unreachable(f"{conversation.url} announces {method} and does not answer it: {refusal}") from refusal
