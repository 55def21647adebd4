"""The result of a list method: learned as the server presents it, delivered without the items that policy hides.

Rule 1: a list is learned unfiltered and delivered filtered.
Rule 2: only the answer to a list request of this exchange is learned. A replayed list is filtered and delivered.
Rule 3: an item is judged as the call that would use it, by the definition in this list.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from gateway.admission import question as questions
from gateway.admission.action import Action, Answer
from gateway.admission.decision import PolicyFailure
from gateway.admission.enforce import undecided
from gateway.admission.listing import LISTED_BY, LISTS, capped, items_of, target_of
from gateway.admission.policy_input import Definition, Target
from gateway.admission.refusal import Refusal, answer, own, rpc_error
from gateway.admission.result_type import ResultType
from gateway.pipeline.call import Call, open_request
from gateway.pipeline.engine import Engine
from gateway.pipeline.item_verdicts import shown_by_digest
from gateway.pipeline.loop_turns import TurnBudget, budget_of
from gateway.pipeline.ports import ListingDraft, Presented, ViewKey
from gateway.protocol.list_writer import ListChange, unchanged, written
from gateway.protocol.message import Request

_CAPPED: Final = ("ttlMs", "cacheScope")


class ListResults:
    """Filtering of a server's list for its reader."""

    def __init__(self, engine: Engine, *, ttl_cap_ms: int) -> None:
        """Take the engine. Clients may cache a list for `ttl_cap_ms` milliseconds."""
        self._engine: Final = engine
        self._ttl_cap_ms: Final = ttl_cap_ms

    async def settle(self, call: Call, method: str, result: Mapping[str, Any], raw: bytes) -> Action:
        """Return the list without hidden items, or a refusal. `raw` is the message that contains the list."""
        items, (request_id, _) = items_of(method, result), open_request(call)
        if items is None or call.view is None or request_id is None:
            return self._refused(call, broken(f"the result of {method} does not contain a list"))
        parts = self._engine.parts
        targets = [target_of(method, item) for item in items]
        presented = await self._presented(call, call.view, method, result)
        stated = [
            questions.item(call.inbound, method=LISTS[method].call, target=target, definition=_definition(each))
            for target, each in zip(targets, presented, strict=True)
            if target is not None
        ]
        verdicts = await parts.listings.verdicts(self._engine.current(call), stated, shown_by_digest(presented))
        if isinstance(verdicts, PolicyFailure):
            return self._refused(call, undecided(verdicts))
        spread = iter(verdicts)
        kept = [target is not None and next(spread) for target in targets]
        body = self._written(call, method, result, raw, kept)
        if body is None:
            return self._refused(call, broken(f"the result of {method} cannot be written without the hidden items"))
        listed = ResultType("list", sum(kept))
        return Answer(status=200, body=body, final=True, result=listed, hidden=len(kept) - listed.items)

    def _written(
        self, call: Call, method: str, result: Mapping[str, Any], raw: bytes, kept: list[bool]
    ) -> bytes | None:
        """Return the message unchanged, or with only the kept items, or null if it cannot be written."""
        request_id, _ = open_request(call)
        replaced = capped(result, self._ttl_cap_ms) if call.inbound.era == "modern" else {}
        change = ListChange(
            member=LISTS[method].member, kept=kept, replaced={key: replaced[key] for key in _CAPPED if key in replaced}
        )
        if request_id is None or unchanged(raw, result, change):
            return raw
        return written(raw, result, change, id=request_id)

    async def _presented(
        self, call: Call, view: ViewKey, method: str, result: Mapping[str, Any]
    ) -> list[Presented | None]:
        """Return the definition of each item, and learn the list if it is complete and nothing newer is known."""
        items = items_of(method, result) or []
        if LISTS[method].type not in LISTED_BY:
            return [None] * len(items)
        cursor, following = _cursor(call), result.get("nextCursor")
        readable = isinstance(cursor, str | None) and isinstance(following, str | None)
        ticket = call.ticket if readable else None
        with self._engine.parts.definitions.draft(view, method, ticket, str(cursor or "")) as draft:
            await read_into(draft, items, budget_of(call.inbound))
            presented = [_presented_in(draft, target_of(method, item)) for item in items]
            if following:
                draft.keep(str(following))
            else:
                draft.learn()
        return presented

    def _refused(self, call: Call, refusal: Refusal) -> Action:
        return refused_response(self._engine, call, refusal)


def refused_response(engine: Engine, call: Call, refusal: Refusal) -> Action:
    """Return the answer to the open request if its response is refused. A resumed stream may carry the response."""
    refusal = after_sending(refusal)
    wording, expected = engine.parts.wording, open_request(call)[0]
    if call.inbound.resumes is not None:
        return Answer(status=200, body=rpc_error(refusal, expected, wording), code=refusal.code, final=True)
    action = answer(refusal, call.inbound, wording)
    return replace(action, final=True) if isinstance(action, Answer) else action


async def read_into(draft: ListingDraft, items: list[Any], budget: TurnBudget) -> None:
    """Add the items of a page to a listing, and wait for a turn when the budget is used up."""
    budget.renew()
    for item in items:
        await budget.pause()
        draft.add([item])


def _presented_in(draft: ListingDraft, target: Target | None) -> Presented | None:
    return draft.presented(target.name or target.uri or "") if target else None


def _definition(presented: Presented | None) -> Definition | None:
    return presented.definition if presented else None


async def is_listed(engine: Engine, call: Call, called: str, target: Target) -> bool:
    """Return whether policy lists a target for the call `called`."""
    presented = engine.parts.definitions.seen(call.view, target) if call.view else None
    item = questions.item(call.inbound, method=called, target=target, definition=_definition(presented))
    verdicts = await engine.parts.listings.verdicts(engine.current(call), [item], shown_by_digest([presented]))
    return verdicts == [True]


def broken(why: str) -> Refusal:
    """Return the refusal of a server's answer that the gateway cannot use."""
    why = f"the gateway cannot use the server's answer: {why}"
    return own("upstream_broken", why, "Report this to the server's owner.", stage="failed")


def after_sending(refusal: Refusal) -> Refusal:
    """Return the refusal of a server's answer with the stage `withheld`, because its request was already sent."""
    return replace(refusal, stage="withheld") if refusal.stage == "refused" else refusal


def _cursor(call: Call) -> object:
    message = call.inbound.message
    return message.params.get("cursor") if isinstance(message, Request) else None
