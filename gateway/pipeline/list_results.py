"""The result of a list method: learned as the server presents it, delivered without the items that policy hides.

Rule 1: a list is learned unfiltered and delivered filtered.
Rule 2: an item is judged as the call that it would be, by the definition that the server presents.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from gateway.admission import question as questions
from gateway.admission.action import Action, Answer
from gateway.admission.decision import PolicyFailure
from gateway.admission.enforce import undecided
from gateway.admission.listing import LISTED_BY, LISTS, capped, filtered, items_of, target_of
from gateway.admission.policy_input import Item, Target
from gateway.admission.refusal import Refusal, answer, own, rpc_error
from gateway.pipeline.call import Call, open_request
from gateway.pipeline.engine import Engine
from gateway.protocol.errors import result_body
from gateway.protocol.message import Request


class ListResults:
    """Turns the list that a server sends into the list that its reader may see."""

    def __init__(self, engine: Engine, *, ttl_cap_ms: int) -> None:
        """Take what asks and records; clients may keep a list for `ttl_cap_ms` milliseconds."""
        self._engine: Final = engine
        self._ttl_cap_ms: Final = ttl_cap_ms

    async def settle(self, call: Call, method: str, result: Mapping[str, Any]) -> Action:
        """Return the list without what policy hides, or why there is none."""
        items, (request_id, _) = items_of(method, result), open_request(call)
        if items is None or call.view is None or request_id is None:
            return self._refused(call, broken(f"the result of {method} holds no list"))
        parts = self._engine.parts
        first, last = not _cursor(call), not result.get("nextCursor")
        if LISTS[method].type in LISTED_BY:
            parts.definitions.learn(call.view, method, result, first=first, last=last)
        targets = [target_of(method, item) for item in items]
        stated = [item_of(self._engine, call, LISTS[method].call, target) for target in targets if target is not None]
        verdicts = await parts.listings.verdicts(self._engine.current(call), stated)
        if isinstance(verdicts, PolicyFailure):
            return self._refused(call, undecided(verdicts))
        spread = iter(verdicts)
        shown = filtered(method, result, [target is not None and next(spread) for target in targets])
        body = capped(shown, self._ttl_cap_ms) if call.inbound.era == "modern" else shown
        return Answer(status=200, body=result_body(request_id, body), final=True)

    def _refused(self, call: Call, refusal: Refusal) -> Action:
        return refused_response(self._engine, call, refusal)


def refused_response(engine: Engine, call: Call, refusal: Refusal) -> Action:
    """Return the answer to the open request if its response is refused; a resumed stream may carry the response."""
    refusal = after_sending(refusal)
    wording, expected = engine.parts.wording, open_request(call)[0]
    if call.inbound.resumes is not None:
        return Answer(status=200, body=rpc_error(refusal, expected, wording), code=refusal.code, final=True)
    action = answer(refusal, call.inbound, wording)
    return replace(action, final=True) if isinstance(action, Answer) else action


def item_of(engine: Engine, call: Call, called: str, target: Target) -> Item:
    """State a target as the call `called` that its reader would make, with the definition that the server presents."""
    view = call.view
    presented = engine.parts.definitions.seen(view, target) if view else None
    definition = presented.definition if presented else None
    return questions.item(call.inbound, method=called, target=target, definition=definition)


def broken(why: str) -> Refusal:
    """Return the refusal of a server's answer that the gateway cannot use."""
    why = f"the server's answer cannot be used: {why}"
    return own("upstream_broken", why, "Tell the server's owner.", stage="failed")


def after_sending(refusal: Refusal) -> Refusal:
    """Return the refusal of a server's answer: its request was sent, whatever refuses the answer."""
    return replace(refusal, stage="withheld") if refusal.stage == "refused" else refusal


def _cursor(call: Call) -> object:
    message = call.inbound.message
    return message.params.get("cursor") if isinstance(message, Request) else None
