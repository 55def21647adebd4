"""A client's subscription filter, narrowed to the resources and tasks that policy lets it read.

Rule 1: each name is judged like the call that would read it. A hidden name is not forwarded, so the server never sends
it.
Rule 2: a narrowed message is written again. The new message is the one that is asked about, recorded and forwarded.
Rule 3: if policy cannot be asked, nothing is narrowed: the whole message is refused.
Rule 4: between names the event loop serves others, because a filter may contain a thousand long ones.
"""

from typing import Any, Final

import orjson
from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.decision import PolicyFailure
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import Item, PolicyInput, Target
from gateway.admission.question import item
from gateway.admission.uris import NormalUri, normalize
from gateway.pipeline.discovery_limits import Look
from gateway.pipeline.item_verdicts import Listings
from gateway.pipeline.listing_failures import ListOutcome
from gateway.pipeline.loop_turns import TurnBudget
from gateway.pipeline.ports import Presented
from gateway.pipeline.seen_definition import DefinitionFinder
from gateway.protocol.errors import INVALID_PARAMS
from gateway.protocol.json_values import as_list, as_object
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Request
from gateway.protocol.methods import Method, lookup, target_of

LISTEN: Final = "subscriptions/listen"
_NAMED: Final = (("resourceSubscriptions", "resources/read"), ("taskIds", "tasks/get"))
"""Each list of names in a filter, and the call that its names are judged as."""
_MOST: Final = 1_000
"""Maximum names in one filter. Each may need a read of the server's list, and takes space in a question."""


class NarrowingSources(Struct, frozen=True):
    """The sources of definitions and of verdicts."""

    presentation: DefinitionFinder
    listings: Listings


class Narrowing:
    """Narrowing of one client's filter by policy."""

    def __init__(self, sources: NarrowingSources, revision: str, look: Look, budget: TurnBudget) -> None:
        """Take the sources, the policy revision, the function that lists the upstream, and the turn budget."""
        self._presentation: Final = sources.presentation
        self._listings: Final = sources.listings
        self._revision: Final = revision
        self._budget: Final = budget
        self._look: Final = look
        self._looked: Final[dict[str, ListOutcome]] = {}
        self._shown: Final[dict[str, Presented]] = {}

    async def narrowed(self, inbound: Inbound, question: PolicyInput) -> Inbound | Malformed | PolicyFailure:
        """Return the message with the names that policy lists, or the same message if it lists all of them."""
        message = inbound.message
        if not isinstance(message, Request):
            return inbound
        wanted = as_object(message.params.get("notifications", {}))
        if wanted is None:
            return _shapeless(message, "params.notifications must be an object")
        kept: dict[str, Any] = {}
        for key, called in _NAMED:
            names = as_list(wanted.get(key, []))
            if names is None or len(names) > _MOST or not all(isinstance(name, str) for name in names):
                return _shapeless(message, f"params.notifications.{key} must be a list of at most {_MOST} strings")
            listed = await self._listed(inbound, question, [str(name) for name in names], called)
            if isinstance(listed, PolicyFailure):
                return listed
            kept |= {key: listed} if listed != names else {}
        params = {**message.params, "notifications": {**wanted, **kept}}
        return rewritten(inbound, message, params) if kept else inbound

    async def _listed(
        self, inbound: Inbound, question: PolicyInput, names: list[str], called: str
    ) -> list[str] | PolicyFailure:
        """Return the names that policy lists, in their order."""
        row = lookup(called, direction="client", revision=inbound.revision)
        items = [await self._stated(inbound, row, name) if row else None for name in names]
        stated = [item for item in items if item is not None]
        verdicts = await self._listings.verdicts(question, stated, self._shown)
        if isinstance(verdicts, PolicyFailure):
            return verdicts
        spread = iter(verdicts)
        return [name for name, item in zip(names, items, strict=True) if item is not None and next(spread)]

    async def _stated(self, inbound: Inbound, row: Method, name: str) -> Item | None:
        await self._budget.pause()
        return await self._item(inbound, row, name)

    async def _item(self, inbound: Inbound, row: Method, name: str) -> Item | None:
        """Return a name as the item of the call that would read it, or null if no call could name it."""
        place = target_of(row, {row.field: name})
        if place is None:
            return None
        reading = replace(inbound, method=row, place=place)
        sight = await self._presentation.sight(reading, self._revision, self._look_once)
        if place.uri is not None and not _is_readable(place.uri, sight.presented):
            return None
        target = Target(type=place.type, name=place.name, uri=place.uri)
        definition = sight.presented.definition if sight.presented else None
        if sight.presented is not None:
            self._shown[sight.presented.definition.sha256] = sight.presented
        return item(inbound, method=row.name, target=target, definition=definition, status=sight.status)

    async def _look_once(self, inbound: Inbound, method: str) -> ListOutcome:
        """List the server only once for each message, however many of its names were not seen."""
        if method not in self._looked:
            self._looked[method] = await self._look(inbound, method)
        return self._looked[method]


def _is_readable(uri: str, presented: Presented | None) -> bool:
    """Return whether a read of the URI could pass in this spelling."""
    found = normalize(uri)
    listed = presented.uri if presented else ""
    return isinstance(found, NormalUri) and (not found.doubt or listed == uri)


def rewritten(inbound: Inbound, message: Request, params: dict[str, Any]) -> Inbound:
    """Return the request with other params, serialized again."""
    body = {"jsonrpc": "2.0", "id": message.id, "method": message.method, "params": params}
    return replace(inbound, message=replace(message, params=params, raw=orjson.dumps(body)))


def _shapeless(message: Request, reason: str) -> Malformed:
    return Malformed(fault="shape", code=INVALID_PARAMS, reason=reason, id=message.id, method=message.method)
