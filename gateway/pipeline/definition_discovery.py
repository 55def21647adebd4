"""The gateway's own list requests, sent before policy is asked about a target that was not seen yet.

Rule 1: such a request is asked about, permitted and recorded like the client's own, in the name of the same principal.
Rule 2: it returns a value, `CompleteListing` or `ListingFailed`. A failure is never an empty list.
Rule 3: all pages share one deadline and one byte limit. Reading them takes turns with other exchanges.
Rule 4: the pages form one listing. If news of the list arrives while they are read, reading starts again.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import Forward, again
from gateway.admission.inbound_message import Inbound
from gateway.admission.listing import items_of
from gateway.admission.record import Completed
from gateway.admission.refusal import Refusal, own
from gateway.pipeline.call import Call, Settled
from gateway.pipeline.list_results import read_into
from gateway.pipeline.listing_failures import (
    CompleteListing,
    ListingFailed,
    ListOutcome,
    ServerAnswer,
    changing,
    of_answer,
    of_failure,
    of_refusal,
)
from gateway.pipeline.loop_turns import budget_of
from gateway.pipeline.ports import ListingDraft, Reply, UpstreamFailure, ViewKey
from gateway.pipeline.read_response import WholeReply
from gateway.protocol.json_values import as_object
from gateway.protocol.message import Notification, Request, Response
from gateway.protocol.methods import NOWHERE, lookup

if TYPE_CHECKING:
    from gateway.pipeline import Pipeline

_ROUNDS: Final = 3
_ENVELOPE: Final = ("protocolVersion", "clientCapabilities", "clientInfo")
_META: Final = "io.modelcontextprotocol/"
_ERROR: Final = 400


_Answer = dict[str, Any] | ServerAnswer | UpstreamFailure | Refusal
"""The result of a list request, or the reason why there is none."""


class _Page(Struct, frozen=True):
    result: dict[str, Any]
    view: ViewKey


async def look(pipeline: "Pipeline", inbound: Inbound, method: str) -> ListOutcome:
    """Read all pages of a list of `inbound.server` with `method`, and learn the definitions."""
    limits = pipeline.engine.parts.looks
    if lookup(method, direction="client", revision=inbound.revision) is None:
        return CompleteListing()
    try:
        async with asyncio.timeout(limits.timeout_s):
            for _ in range(_ROUNDS):
                outcome = await ListReader(pipeline, inbound, method).read()
                if outcome is not None:
                    return outcome
    except TimeoutError:
        detail = f"the server did not send the whole list within {limits.timeout_s:g} seconds"
        return of_failure(method, UpstreamFailure(code="upstream_timeout", detail=detail))
    return changing(method)


class ListReader:
    """One listing by the gateway, read page by page."""

    def __init__(self, pipeline: "Pipeline", inbound: Inbound, method: str) -> None:
        """Take the client's message and the list method."""
        self._pipeline: Final = pipeline
        self._parts: Final = pipeline.engine.parts
        self._inbound: Final = inbound
        self._method: Final = method
        self._left: int = self._parts.looks.total_bytes

    async def read(self) -> ListOutcome | None:
        """Read all pages and learn them. Return null if news of the list arrived meanwhile."""
        ticket = self._parts.definitions.ticket(self._inbound.server, self._method)
        cursor: str | None = None
        draft: ListingDraft | None = None
        view: ViewKey | None = None
        with contextlib.ExitStack() as held:
            for _ in range(self._parts.looks.pages):
                page = await self._page(cursor)
                if isinstance(page, ListingFailed):
                    return page
                if draft is None:
                    view = page.view
                    draft = held.enter_context(self._parts.definitions.draft(view, self._method, ticket))
                elif page.view != view:
                    return None
                problem = await self._taken(draft, page)
                if problem is not None:
                    return problem
                cursor = page.result.get("nextCursor")
                if not cursor:
                    return self._learned(draft)
        return self._too_large(f"the list has more than {self._parts.looks.pages} pages")

    async def _taken(self, draft: ListingDraft, page: _Page) -> ListingFailed | None:
        items, cursor = items_of(self._method, page.result), page.result.get("nextCursor")
        if items is None or not isinstance(cursor, str | None):
            return self._broken(f"the result of {self._method} does not contain a list")
        await read_into(draft, items, budget_of(self._inbound))
        return None

    def _learned(self, draft: ListingDraft) -> ListOutcome | None:
        match draft.learn():
            case "learned":
                return CompleteListing()
            case "stale":
                return None
            case "truncated":
                return self._too_large("the list has more names than the gateway can keep")
            case "too_large":
                return self._too_large("the list needs more memory than the gateway reserves for definitions")

    async def _page(self, cursor: str | None) -> _Page | ListingFailed:
        """Return one page, or the reason why it is missing."""
        asked = list_request(self._inbound, self._method, cursor, self._parts.ids.call_id())
        settled = await self._pipeline.admit(asked)
        if not isinstance(settled.action, Forward):
            return of_refusal(self._method, settled.refusal or _UNDECIDED)
        answer = await self._sent(settled, settled.action)
        if isinstance(answer, UpstreamFailure):
            return of_failure(self._method, answer)
        if isinstance(answer, Refusal):
            return of_refusal(self._method, answer)
        if isinstance(answer, ServerAnswer):
            return of_answer(self._method, answer, in_session=self._inbound.session is not None)
        if settled.call.view is None:
            return of_refusal(self._method, _UNDECIDED)
        return _Page(answer, settled.call.view)

    async def _sent(
        self, settled: Settled, forward: Forward
    ) -> dict[str, Any] | ServerAnswer | UpstreamFailure | Refusal:
        """Send a permitted list request, and complete its record in every case."""
        outcome = "canceled"
        try:
            answer = await self._pipeline.running.during(settled.call, self._exchanged(settled.call, forward))
            outcome = _outcome(answer)
            return answer
        finally:
            self._complete(settled.call, outcome)

    async def _exchanged(self, call: Call, forward: Forward) -> dict[str, Any] | ServerAnswer | UpstreamFailure:
        own_list = replace(forward.permit.outbound, repeatable=True)
        reply = await self._parts.upstream.send(again(forward.permit, own_list))
        return reply if isinstance(reply, UpstreamFailure) else await self._answer(reply, call)

    async def _answer(self, reply: Reply, call: Call) -> dict[str, Any] | ServerAnswer | UpstreamFailure:
        limit = min(self._parts.result_bytes, self._left)
        sent = call.inbound.request_id or ""
        whole = WholeReply(reply, sent, limit=limit, noticed=self._noticed, budget=budget_of(self._inbound))
        response = await whole.response()
        self._left -= whole.size
        if isinstance(response, Response) and response.error is None and reply.status < _ERROR:
            return response.result or {}
        if isinstance(response, Response) or reply.status >= _ERROR:
            error = response.error if isinstance(response, Response) else None
            waits = next((value for name, value in reply.headers if name == "retry-after"), "")
            return ServerAnswer(status=reply.status, error=error, retry_after=waits)
        return response

    def _noticed(self, message: Notification) -> None:
        """Forget the list if the server announces a change on the stream of the answer."""
        if message.method.endswith("/list_changed"):
            self._parts.definitions.forget(self._inbound.server, message.method)

    def _complete(self, call: Call, outcome: str) -> None:
        now = self._parts.clock.now()
        self._parts.journal.completed(
            Completed(
                call_id=call.call_id,
                unix_ns=now.unix_ns,
                monotonic_ns=now.monotonic_ns,
                outcome=outcome,
                micros=(now.monotonic_ns - call.begun.monotonic_ns) // 1000,
                request_id=call.inbound.correlation.request_id,
            )
        )

    def _broken(self, detail: str) -> ListingFailed:
        return of_failure(self._method, UpstreamFailure(code="upstream_broken", detail=detail))

    def _too_large(self, detail: str) -> ListingFailed:
        return of_failure(self._method, UpstreamFailure(code="result_too_large", detail=detail))


def _outcome(answer: _Answer) -> str:
    if isinstance(answer, UpstreamFailure | Refusal):
        return answer.code
    return "error" if isinstance(answer, ServerAnswer) else "answered"


_UNDECIDED: Final = own("policy_unavailable", "the policy did not decide about the list", "Try again in a moment.")


def list_request(inbound: Inbound, method: str, cursor: str | None, call_id: str) -> Inbound:
    """Return the gateway's own list request in the name of the client's principal."""
    entry = lookup(method, direction="client", revision=inbound.revision)
    params: dict[str, Any] = {"cursor": cursor} if cursor else {}
    meta = _meta_of(inbound)
    if meta:
        params["_meta"] = meta
    body = {"jsonrpc": "2.0", "id": f"gw-{call_id}", "method": method, "params": params}
    request = Request(id=f"gw-{call_id}", method=method, params=params, raw=orjson.dumps(body))
    return replace(
        inbound,
        verb="POST",
        message=request,
        method=entry or inbound.method,
        place=NOWHERE,
        headers=_headers(inbound, method),
        answers=None,
        resumes=None,
    )


def _meta_of(inbound: Inbound) -> dict[str, Any]:
    """Return the client's own envelope, without progress tokens and other request data."""
    message = inbound.message
    meta = as_object(message.params.get("_meta")) if isinstance(message, Request | Notification) else None
    if meta is None:
        return {}
    return {_META + key: meta[_META + key] for key in _ENVELOPE if _META + key in meta}


def _headers(inbound: Inbound, method: str) -> tuple[tuple[str, str], ...]:
    kept = tuple(
        (name, value)
        for name, value in inbound.headers
        if name not in {"mcp-method", "mcp-name", "last-event-id"} and not name.startswith("mcp-param-")
    )
    return (*kept, ("mcp-method", method)) if inbound.era == "modern" else kept
