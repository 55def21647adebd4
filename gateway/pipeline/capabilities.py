"""The capabilities that client and server announce to each other, narrowed by policy (PROTOCOL sections 4 and 8).

Rule 1: a server that sees fewer capabilities asks for less. Its requests are judged in any case.
Rule 2: a narrowed message is written again. A message that is not narrowed is forwarded unchanged.
Rule 3: if policy cannot be asked, nothing is narrowed: the whole message is refused.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.admission.capabilities import of_client, of_server, without
from gateway.admission.decision import PolicyFailure
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import Item, PolicyInput
from gateway.pipeline.item_verdicts import Listings
from gateway.pipeline.narrowing import rewritten
from gateway.protocol.json_values import as_object
from gateway.protocol.message import Request

CONNECTING: Final = frozenset({"initialize", "server/discover"})
"""The requests whose results name the server's capabilities."""
_META: Final = "_meta"
_MODERN: Final = "io.modelcontextprotocol/clientCapabilities"
_LEGACY: Final = "capabilities"


class Capabilities:
    """Narrowing of capabilities by the listing question."""

    def __init__(self, listings: Listings) -> None:
        """Use `listings` for verdicts."""
        self._listings: Final = listings

    async def asked(self, inbound: Inbound, question: PolicyInput) -> Inbound | PolicyFailure:
        """Return a client's request with only the capabilities that the server may use."""
        message = inbound.message
        declared = declared_by(inbound)
        if declared is None or not isinstance(message, Request):
            return inbound
        kept = await self._kept(question, declared, of_client(inbound, declared))
        if isinstance(kept, PolicyFailure):
            return kept
        if kept == declared:
            return inbound
        meta = as_object(message.params.get(_META)) or {}
        place = {_META: meta | {_MODERN: kept}} if inbound.era == "modern" else {_LEGACY: kept}
        return rewritten(inbound, message, message.params | place)

    async def offered(
        self, inbound: Inbound, question: PolicyInput, result: dict[str, Any]
    ) -> dict[str, Any] | PolicyFailure:
        """Return a server's result with only the capabilities that this client may use."""
        declared = as_object(result.get(_LEGACY))
        if declared is None:
            return result
        kept = await self._kept(question, declared, of_server(inbound, declared))
        if isinstance(kept, PolicyFailure):
            return kept
        return result if kept == declared else result | {_LEGACY: kept}

    async def _kept(
        self, question: PolicyInput, declared: Mapping[str, Any], stated: Mapping[str, Item | None]
    ) -> dict[str, Any] | PolicyFailure:
        items = {key: item for key, item in stated.items() if item is not None}
        verdicts = await self._listings.verdicts(question, tuple(items.values()))
        if isinstance(verdicts, PolicyFailure):
            return verdicts
        listed = {key for key, verdict in zip(items, verdicts, strict=True) if verdict}
        return without(declared, stated.keys() - listed)


def declared_by(inbound: Inbound) -> dict[str, Any] | None:
    """Return the capabilities that a client declares with a request, or null if it declares none."""
    message = inbound.message
    if not isinstance(message, Request):
        return None
    if inbound.era == "modern":
        return as_object((as_object(message.params.get(_META)) or {}).get(_MODERN)) or None
    return as_object(message.params.get(_LEGACY)) or None if message.method == "initialize" else None
