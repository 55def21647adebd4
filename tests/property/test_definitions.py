"""Lists, changes, news, replays, slow pages and calls over two workers, against a model of what the server presented.

The property: a call is judged only by a definition that the server presented in answer to a list request which was sent
after the last news of the list that any worker delivered.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.action import Forward
from gateway.admission.decision import Decision
from gateway.admission.digests import define
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import Client, PolicyInput
from gateway.definitions import DefinitionCache
from gateway.pipeline.call import Call
from gateway.protocol.headers import Headers
from gateway.protocol.message import Request
from gateway.protocol.methods import NOWHERE, Method, lookup, target_of
from gateway.protocol.sealing import EventSeal
from gateway.shared_counters import attached, created
from tests.fakes import CALLER, FakeReply, World, allow

REVISION: Final = "2025-11-25"
CHANGED: Final = b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
ID: Final = 7


def row(method: str) -> Method:
    found = lookup(method, direction="client", revision=REVISION)
    assert found is not None
    return found


def inbound(method: str, params: dict[str, Any]) -> Inbound:
    """Return a client's request."""
    request = Request(id=ID, method=method, params=params, raw=b"{}")
    return Inbound(
        verb="POST",
        server="s",
        message=request,
        method=row(method),
        place=target_of(row(method), params) or NOWHERE,
        era="legacy",
        revision=REVISION,
        principal=CALLER,
        client=Client(),
        source_ip="",
        headers=(),
        shown={},
        names=Headers({}),
    )


class Sent(Struct, frozen=True):
    """A page that the server presented: when it was asked for, and what it said."""

    time: int
    version: int


class Pending(Struct):
    """A client's list request whose answer is on its way."""

    worker: int
    call: Call
    body: bytes


class Model:
    """Two workers, one server, and what is true of them."""

    def __init__(self, *, paged: bool) -> None:
        """Begin with a server that lists one tool, on one page or on the second of two."""
        self.paged = paged
        self.version = 0
        self.time = 0
        self.news = 0
        self.sent: list[Sent] = []
        self.old: list[bytes] = []
        self.pending: list[Pending] = []
        self.interrupted = False
        with created(2) as descriptor:
            pages = [attached(descriptor, number) for number in range(2)]
        self.workers = [self._worker(DefinitionCache(page, max_age_s=300, clock=self._clock)) for page in pages]

    def _worker(self, cache: DefinitionCache) -> World:
        return World(self._decide, self._upstream, definitions=cache)

    def _clock(self) -> float:
        return 11.0 * self.time

    def tool(self, version: int) -> dict[str, Any]:
        return {"name": "t", "description": f"version {version}", "inputSchema": {"type": "object"}}

    def page(self, message: dict[str, Any]) -> bytes:
        """Return the answer to a list request that is being sent."""
        self.time += 1
        self.sent.append(Sent(self.time, self.version))
        last = not self.paged or message.get("params", {}).get("cursor") == "2"
        result: dict[str, Any] = {"tools": [self.tool(self.version)] if last else []}
        body = orjson.dumps(
            {"jsonrpc": "2.0", "id": message["id"], "result": result if last else {**result, "nextCursor": "2"}}
        )
        self.old.append(body)
        return body

    def _upstream(self, message: dict[str, Any]) -> FakeReply:
        return FakeReply(self.page(message))

    def _decide(self, question: PolicyInput) -> Decision:
        if question.target.type == "tool" and self.interrupted:
            self.interrupted = False
            self.version += 1
            self.workers[0].pipeline.engine.parts.definitions.forget("s", "notifications/tools/list_changed")
            self.news = self.time = self.time + 1
        return allow()

    async def change(self) -> None:
        self.version += 1

    async def interrupt(self) -> None:
        """Let the next decision be overtaken by a change that the first worker announces."""
        self.interrupted = True

    async def announce(self, worker: int) -> None:
        """Deliver the news of a change on a stream of a worker."""
        call = (await self.workers[worker].pipeline.admit(inbound("tools/list", {}))).call
        await self.workers[worker].pipeline.settle(replace(call, ticket=None), CHANGED)
        self.time += 1
        self.news = self.time

    async def ask(self, worker: int, cursor: str) -> None:
        """Send a client's list request; its answer stays on its way."""
        settled = await self.workers[worker].pipeline.admit(inbound("tools/list", {"cursor": cursor} if cursor else {}))
        assert isinstance(settled.action, Forward)
        self.pending.append(Pending(worker, settled.call, self.page({"id": ID, "params": {"cursor": cursor}})))

    async def deliver(self, which: int) -> None:
        """Deliver an answer that was on its way."""
        if self.pending:
            pending = self.pending.pop(which % len(self.pending))
            await self.workers[pending.worker].pipeline.settle(pending.call, pending.body)

    async def replay(self, worker: int, which: int) -> None:
        """Resume a stream on which the server sends again what it sent before."""
        if not self.old:
            return
        body = self.old[which % len(self.old)]
        request = orjson.loads(body)["id"]
        seal = EventSeal(upstream_id="e", session=b"", method="tools/list", request_id=request, call_id="c")
        call = (await self.workers[worker].pipeline.admit(inbound("tools/list", {}))).call
        resumed = replace(call.inbound, verb="GET", message=None, resumes=seal)
        await self.workers[worker].pipeline.settle(replace(call, inbound=resumed, ticket=None), body)

    async def call(self, worker: int) -> None:
        """Call the tool, and hold the property."""
        settled = await self.workers[worker].pipeline.admit(inbound("tools/call", {"name": "t"}))
        if not isinstance(settled.action, Forward):
            return
        judged = settled.call.question.definition
        assert judged is not None
        known = {define(self.tool(sent.version)).sha256 for sent in self.sent if sent.time > self.news}
        assert judged.sha256 in known

    async def run(self, steps: Sequence[tuple[str, int, int]]) -> None:
        for name, worker, which in steps:
            await self.step(name, worker, which)
            await self.call(worker)

    async def step(self, name: str, worker: int, which: int) -> None:
        match name:
            case "change":
                await self.change()
            case "interrupt":
                await self.interrupt()
            case "announce":
                await self.announce(worker)
            case "first page":
                await self.ask(worker, "")
            case "second page":
                await self.ask(worker, "2")
            case "deliver":
                await self.deliver(which)
            case "replay":
                await self.replay(worker, which)
            case _:
                await self.call(worker)


STEPS: Final = ("change", "interrupt", "announce", "first page", "second page", "deliver", "replay", "call")


@given(
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.integers(0, 5)), min_size=4, max_size=25),
    st.booleans(),
)
def test_a_call_is_judged_only_by_what_was_presented_after_the_last_news(
    steps: list[tuple[str, int, int]], paged: bool
) -> None:
    asyncio.run(Model(paged=paged).run(steps))
