"""Ids that travel to the client and back: sealed, so that they need no table (DESIGN section 7).

Rule 1: an id that was sealed for one session, principal or server is not accepted in another.
Rule 2: a task id is sealed for a principal on a server, not for a session, because tasks outlive sessions.
Rule 3: the method of a server's request is sealed with its id, so that the answer can be judged by it.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import Final

import orjson

from gateway.admission.inbound_message import Inbound
from gateway.pipeline.call import Call
from gateway.protocol.json_values import as_object
from gateway.protocol.message import Request, Response
from gateway.protocol.sealing import FIXED_NONCE, EventSeal, RequestSeal, Ring, SessionSeal, TaskSeal

_BINDING_BYTES: Final = 16
_REMEMBERED: Final = 100
"""Requests of a server in one session that a worker remembers."""
_SESSIONS: Final = 1_000
"""Sessions whose requests a worker remembers."""
_TOKEN_CHARS: Final = 1_024


def binding(*, server: str, principal_key: str, session: SessionSeal | None) -> bytes:
    """Return the binding of sealed ids to server, principal and upstream session, as a digest of 16 bytes."""
    parts = (server, principal_key, session.upstream_id if session else "")
    return sha256("\x1e".join(parts).encode()).digest()[:_BINDING_BYTES]


def binding_of(inbound: Inbound) -> bytes:
    """Return the binding of the ids that belong to this message's sender."""
    return binding(server=inbound.server, principal_key=inbound.principal.key, session=inbound.session)


def sealed_request_id(ring: Ring, call: Call, *, upstream_id: str | int, method: str, nonce: bytes) -> str:
    """Return the id under which the client sees a server's request."""
    inbound = call.inbound
    seal = RequestSeal(
        upstream_id=upstream_id, session=binding_of(inbound), method=method, server=inbound.server, call_id=call.call_id
    )
    return ring.close(seal, nonce)


class OpenRequests:
    """The sealed ids of servers' requests by the ids that the servers know, so that a cancellation can be mapped.

    The memory is limited for each session, so that no server displaces the requests of another, and for the worker. The
    cancellation of a request that no worker remembers is withheld.
    """

    def __init__(self) -> None:
        """Start without requests."""
        self._sealed: Final[OrderedDict[str, OrderedDict[str | int, str]]] = OrderedDict()

    def keep(self, inbound: Inbound, upstream_id: str | int, sealed: str) -> None:
        """Remember a request that was delivered to the client."""
        bound = binding_of(inbound).hex()
        requests = self._sealed.setdefault(bound, OrderedDict())
        self._sealed.move_to_end(bound)
        requests[upstream_id] = sealed
        if len(requests) > _REMEMBERED:
            requests.popitem(last=False)
        if len(self._sealed) > _SESSIONS:
            self._sealed.popitem(last=False)

    def find(self, bound: str, upstream_id: str | int) -> str | None:
        """Return the sealed id of a request. `bound` is the binding of its channel, in hexadecimal."""
        requests = self._sealed.get(bound)
        return requests.get(upstream_id) if requests is not None else None

    def forget(self, bound: str, upstream_id: str | int) -> None:
        """Forget a request that the server has canceled."""
        requests = self._sealed.get(bound)
        if requests is not None:
            requests.pop(upstream_id, None)


def sealed_event_id(ring: Ring, call: Call, upstream_id: str, nonce: bytes) -> str:
    """Return the id under which the client sees an event, with the data that its replay needs."""
    inbound, resumes = call.inbound, call.inbound.resumes
    seal = EventSeal(
        upstream_id=upstream_id,
        session=binding_of(inbound),
        method=resumes.method if resumes else (inbound.method.name if inbound.message else ""),
        request_id=resumes.request_id if resumes else inbound.request_id,
        call_id=call.call_id,
        target=resumes.target if resumes else named_task(inbound),
        progress_token=resumes.progress_token if resumes else kept_token(inbound),
    )
    return ring.close(seal, nonce)


def named_task(inbound: Inbound) -> str:
    """Return the server's id of the task that a request is about, or the empty text for any other request."""
    return inbound.place.name or "" if inbound.place.type == "task" else ""


def task_owner(*, server: str, principal_key: str) -> bytes:
    """Return the binding of task ids to server and principal, as a digest of 16 bytes."""
    return sha256(f"task\x1e{server}\x1e{principal_key}".encode()).digest()[:_BINDING_BYTES]


def sealed_task_id(ring: Ring, upstream_id: str, *, server: str, principal_key: str) -> str:
    """Return the id under which a principal knows a task of the server. It is always the same."""
    owner = task_owner(server=server, principal_key=principal_key)
    return ring.close(TaskSeal(upstream_id, owner), FIXED_NONCE)


def opened_task_id(ring: Ring, text: object, *, server: str, principal_key: str) -> str | None:
    """Return the server's id of a task that a client names, or null if the principal does not own it."""
    seal = ring.open(TaskSeal, text) if isinstance(text, str) else None
    owner = task_owner(server=server, principal_key=principal_key)
    return seal.upstream_id if seal is not None and seal.owner == owner else None


def progress_token(inbound: Inbound) -> str | int | None:
    """Return the token under which a client wants to receive the progress of its request."""
    request = inbound.message
    meta = as_object(request.params.get("_meta")) if isinstance(request, Request) else None
    token = meta.get("progressToken") if meta is not None else None
    return token if type(token) is str or type(token) is int else None


def kept_token(inbound: Inbound) -> str | int | None:
    """Return the progress token if it is short enough to be kept, because a client may send megabytes."""
    token = progress_token(inbound)
    return None if type(token) is str and len(token) > _TOKEN_CHARS else token


def restored(message: Response, upstream_id: str | int) -> Response:
    """Return a client's response under the id that the server gave its request."""
    content = {"result": message.result} if message.error is None else {"error": message.error}
    raw = orjson.dumps({"jsonrpc": "2.0", "id": upstream_id, **content})
    return Response(id=upstream_id, raw=raw, result=message.result, error=message.error)
