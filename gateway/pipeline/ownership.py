"""The names that each principal owns on each server: open requests, tasks, and tokens of requests made to it.

Rule 1: a worker knows the names that passed through it. It asks the other workers about names that it does not know
(`Peers`).
Rule 2: unless all workers answer, the principal owns nothing that this worker does not know.
Rule 3: memory is limited for each principal, so that no principal can displace the names of another.
"""

from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, TypeGuard

from msgspec import Struct

from gateway.admission.inbound_message import Inbound
from gateway.admission.refusal import Recorded
from gateway.pipeline.ports import Peers
from gateway.pipeline.sealed_ids import OpenRequests
from gateway.protocol.message import Notification, Request
from gateway.protocol.ownership_exchange import Claim, ClaimKind, Held, united

_TASKS: Final = 1_000
"""Maximum tasks of one principal on one server that a worker remembers."""
_ALL_TASKS: Final = 100_000
"""Maximum tasks of all principals. Beyond it, the worker forgets those of the least recently active principal."""
_TOKENS: Final = 100
"""Progress tokens that servers may use while one request is open."""
_HELD: Final = "held"
_NOTHING: Final = nullcontext()

Name = str | int


def is_name(value: object) -> TypeGuard[Name]:
    """Return whether a value can be an id or a token: a string of limited length or an integer, but not a boolean."""
    return len(value) <= _NAME_CHARS if type(value) is str else type(value) is int


_NOT_OWN: Final[Mapping[ClaimKind, Recorded]] = {
    "request": "request_not_own",
    "token": "token_not_own",
    "client_task": "client_task_not_own",
}


class Unowned(Struct, frozen=True, kw_only=True):
    """Why a notification does not pass: the code of its record, and the reason."""

    code: Recorded
    reason: str


_NAMED: Final[Mapping[str, tuple[ClaimKind, str, str]]] = {
    "notifications/cancelled": ("request", "requestId", "an open request of this caller"),
    "notifications/progress": ("token", "progressToken", "an open request that the server made of this caller"),
    "notifications/tasks/status": ("client_task", "taskId", "a task that this caller made for the server"),
}
"""The object that a client's notification names, and its key."""
_NAME_CHARS: Final = 1_024
_SAFE_INTEGER: Final = 2**53 - 1


class Ownership:
    """The owners of names in this worker, and the questions to the other workers."""

    def __init__(self, peers: Peers) -> None:
        """Take the port to the other workers."""
        self._peers: Final = peers
        self._open: Final[dict[tuple[str, ClaimKind, Name], dict[str, int]]] = {}
        self._tasks: Final[OrderedDict[tuple[ClaimKind, str, str], OrderedDict[str, None]]] = OrderedDict()
        self._creators: Final[dict[tuple[ClaimKind, str, str], set[str]]] = {}
        self._count = 0
        self._tokens: Final[dict[str, list[Name]]] = {}
        self.requests: Final = OpenRequests()

    async def held(self, claim: Claim) -> Held | None:
        """Return what the principal of a claim owns in all workers, or null if not all of them answered."""
        own = self.local(claim)
        lasting = claim.kind in {"task", "server_request"}
        if (lasting and all(own.texts)) or (own.shared and not lasting):
            return own
        others = await self._peers.held(claim)
        return None if others is None else united(claim, [own, others])

    def local(self, claim: Claim) -> Held:
        """Return what the principal of a claim owns in this worker."""
        match claim.kind:
            case "task" | "client_task":
                keys: list[tuple[ClaimKind, str, str]] = [(claim.kind, claim.server, str(name)) for name in claim.names]
                creators: list[set[str]] = [self._creators.get(key, set[str]()) for key in keys]
                texts = tuple(_HELD if claim.principal in known else "" for known in creators)
                return Held(texts=texts, shared=any(known - {claim.principal} for known in creators))
            case "server_request":
                return Held(texts=tuple(self.requests.find(claim.principal, name) or "" for name in claim.names))
            case "request" | "token":
                holders = [self._open.get((claim.server, claim.kind, name), {}) for name in claim.names]
                texts = tuple(_HELD if claim.principal in known else "" for known in holders)
                return Held(texts=texts, shared=any(known.keys() - {claim.principal} for known in holders))

    async def fault(self, inbound: Inbound) -> Unowned | None:
        """Return why a client's notification does not pass, or null if it names something of its sender.

        Within a session the server itself knows its requests, and the session belongs to the sender.
        """
        named = _NAMED.get(inbound.method.name)
        if named is None or not isinstance(inbound.message, Notification):
            return None
        kind, key, what = named
        name = inbound.message.params.get(key)
        if not is_name(name) or (isinstance(name, int) and abs(name) > _SAFE_INTEGER):
            reason = f"params.{key} must be a string or an integer that names {what}"
            return Unowned(code="malformed_shape", reason=reason)
        if inbound.session is not None:
            return None
        held = await self.held(Claim(kind=kind, server=inbound.server, principal=inbound.principal.key, names=(name,)))
        if held is None:
            return Unowned(
                code=_NOT_OWN[kind], reason=f"another worker did not answer whether params.{key} names {what}"
            )
        if not held.texts[0]:
            return Unowned(code=_NOT_OWN[kind], reason=f"params.{key} does not name {what}")
        if held.shared:
            reason = f"params.{key} names {what}, but also one of another caller, and the server could confuse them"
            return Unowned(code=_NOT_OWN[kind], reason=reason)
        return None

    def exchange(self, inbound: Inbound, call_id: str) -> AbstractContextManager[None]:
        """Keep the request of a client open while the block runs, together with the tokens of the server's requests."""
        if not isinstance(inbound.message, Request) or inbound.era == "modern" or inbound.session is not None:
            return _NOTHING
        return self._held_open(inbound, inbound.message, call_id)

    @contextmanager
    def _held_open(self, inbound: Inbound, request: Request, call_id: str) -> Generator[None]:
        key: tuple[str, ClaimKind, Name] = (inbound.server, "request", request.id)
        self._add(key, inbound.principal.key)
        self._tokens[call_id] = []
        try:
            yield
        finally:
            self._remove(key, inbound.principal.key)
            for token in self._tokens.pop(call_id):
                self._remove((inbound.server, "token", token), inbound.principal.key)

    def keep_token(self, inbound: Inbound, call_id: str, token: object) -> None:
        """Keep the progress token of a request that a server made to the client on the channel of a call."""
        tokens = self._tokens.get(call_id)
        if tokens is None or len(tokens) >= _TOKENS or not is_name(token):
            return
        tokens.append(token)
        self._add((inbound.server, "token", token), inbound.principal.key)

    def keep_task(self, server: str, principal: str, task: str, *, kind: ClaimKind = "task") -> None:
        """Remember that the principal owns a task, by the id that the server knows."""
        group = (kind, server, principal)
        tasks = self._tasks.setdefault(group, OrderedDict())
        self._tasks.move_to_end(group)
        self._count += task not in tasks
        tasks[task] = None
        tasks.move_to_end(task)
        self._creators.setdefault((kind, server, task), set()).add(principal)
        if len(tasks) > _TASKS:
            self._forget(group, [tasks.popitem(last=False)[0]])
        while self._count > _ALL_TASKS:
            oldest, forgotten = self._tasks.popitem(last=False)
            self._forget(oldest, list(forgotten))

    def _forget(self, group: tuple[ClaimKind, str, str], tasks: list[str]) -> None:
        kind, server, principal = group
        for task in tasks:
            self._count -= 1
            creators = self._creators[kind, server, task]
            creators.discard(principal)
            if not creators:
                del self._creators[kind, server, task]

    def _add(self, key: tuple[str, ClaimKind, Name], principal: str) -> None:
        holders = self._open.setdefault(key, {})
        holders[principal] = holders.get(principal, 0) + 1

    def _remove(self, key: tuple[str, ClaimKind, Name], principal: str) -> None:
        holders = self._open.get(key, {})
        holders[principal] = holders.get(principal, 0) - 1
        if holders[principal] <= 0:
            del holders[principal]
        if not holders:
            self._open.pop(key, None)
