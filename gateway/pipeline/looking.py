"""The gateway's own look at a server's list, before a target that was not seen yet is asked about.

Rule 1: it is asked, permitted and recorded like the client's own list, in the name of the same principal.
Rule 2: what cannot be listed stays unseen, and `unseen` never matches a pin.
"""

from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec.structs import replace

from gateway.admission.action import Forward, again
from gateway.admission.exchange import Inbound
from gateway.admission.record import Completed
from gateway.pipeline.call import Call
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.pipeline.whole import response_of
from gateway.protocol.message import Notification, Request, Response
from gateway.protocol.methods import NOWHERE, lookup
from gateway.protocol.values import as_object

if TYPE_CHECKING:
    from gateway.pipeline import Pipeline

_PAGES: Final = 100
_ENVELOPE: Final = ("protocolVersion", "clientCapabilities", "clientInfo")
_META: Final = "io.modelcontextprotocol/"


async def look(pipeline: "Pipeline", inbound: Inbound, method: str) -> None:
    """List `inbound.server` by `method` to the last page, and keep what it presents."""
    cursor: str | None = None
    for page in range(_PAGES):
        asked = list_request(inbound, method, cursor, pipeline.engine.parts.ids.call_id())
        settled = await pipeline.admit(asked) if asked is not None else None
        if settled is None or not isinstance(settled.action, Forward):
            return
        result = await _listed(pipeline, settled.call, settled.action)
        if result is None:
            return
        after = result.get("nextCursor")
        cursor = after if isinstance(after, str) and after else None
        if settled.call.view is not None:
            definitions = pipeline.engine.parts.definitions
            definitions.learn(settled.call.view, method, result, first=page == 0, last=cursor is None)
        if cursor is None:
            return


async def _listed(pipeline: "Pipeline", call: Call, forward: Forward) -> dict[str, Any] | None:
    """Return the result of a permitted list; an error of the server is an empty list, a failure is none."""
    parts = pipeline.engine.parts
    answer = await pipeline.running.during(call, _asked(pipeline, call, forward))
    now = parts.clock.now()
    outcome = answer.code if not isinstance(answer, Response) else ("error" if answer.error else "answered")
    micros = (now.monotonic_ns - call.begun.monotonic_ns) // 1000
    parts.journal.completed(
        Completed(
            call_id=call.call_id, unix_ns=now.unix_ns, monotonic_ns=now.monotonic_ns, outcome=outcome, micros=micros
        )
    )
    if not isinstance(answer, Response):
        return None
    return answer.result or {}


async def _asked(pipeline: "Pipeline", call: Call, forward: Forward) -> Response | UpstreamFailure:
    parts = pipeline.engine.parts
    own = replace(forward.permit.outbound, repeatable=True)
    reply = await parts.upstream.send(again(forward.permit, own))
    return reply if isinstance(reply, UpstreamFailure) else await _read(reply, call, parts.result_bytes)


async def _read(reply: Reply, call: Call, limit: int) -> Response | UpstreamFailure:
    request_id = call.inbound.request_id
    return await response_of(reply, "" if request_id is None else request_id, limit)


def list_request(inbound: Inbound, method: str, cursor: str | None, call_id: str) -> Inbound | None:
    """State the gateway's own list request as its principal's; null where the revision has no such list."""
    entry = lookup(method, direction="client", revision=inbound.revision)
    if entry is None:
        return None
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
        method=entry,
        place=NOWHERE,
        headers=_headers(inbound, method),
        answers=None,
    )


def _meta_of(inbound: Inbound) -> dict[str, Any]:
    """Return the client's own envelope, without progress tokens and the like."""
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
