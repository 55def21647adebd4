"""`cancelled` and `progress`: a message may name only its sender's own requests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
import pytest
from msgspec.structs import replace

from gateway.admission.principal import Principal
from gateway.admission.record import Refused
from gateway.pipeline.ownership import Ownership
from gateway.pipeline.ports import NoPeers
from gateway.pipeline.sealed_ids import OpenRequests, binding_of
from gateway.protocol.ownership_exchange import Claim, Held
from gateway.protocol.sealing import SessionSeal
from tests.fakes import CALLER, FakeReply, World
from tests.unit.server.client import JSON, Browser, Got

OTHER: Final = Principal(kind="service", method="token", credential_sha256="cd" * 32)
LEGACY: Final = (*JSON, ("mcp-protocol-version", "2025-11-25"))
SSE: Final = (("content-type", "text/event-stream"),)


class Running(FakeReply):
    """A call that runs until the test ends it, and asks the client for something with a progress token."""

    def __init__(self, *events: dict[str, Any]) -> None:
        super().__init__(media="sse", headers=SSE)
        self.events = events
        self.end = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        for event in self.events:
            yield b"data: " + orjson.dumps(event) + b"\n\n"
        await self.end.wait()
        yield b'data: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n'


class Peered:
    """Other workers that hold the names of the test. Null means that one of them is silent."""

    def __init__(self, held: Held | None) -> None:
        self.known = held
        self.claims: list[Claim] = []

    async def held(self, claim: Claim) -> Held | None:
        self.claims.append(claim)
        return self.known


class Scene:
    """A gateway for a server without sessions, with a running call of the first caller."""

    def __init__(self, *events: dict[str, Any], peers: Peered | None = None) -> None:
        self.reply = Running(*events)
        self.world = World(upstream=self._answer, peers=peers)
        self.browser = Browser(self.world)
        self.calls: list[asyncio.Task[Got]] = []

    def _answer(self, message: dict[str, Any]) -> FakeReply:
        if message.get("method") == "tools/list":
            listed: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"], "result": {"tools": []}}
            return FakeReply(orjson.dumps(listed))
        return self.reply if message.get("method") == "tools/call" else FakeReply(b"", status=202, media="empty")

    async def call(self, request_id: str | int = 1, caller: Principal = CALLER) -> None:
        """Begin a call, and return once the server has it."""
        self.world.callers.outcome = caller
        before = len(self.world.upstream.forwards)
        message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": {"name": "t"}}
        self.calls.append(asyncio.create_task(self.browser.send(message, *LEGACY)))
        while self.methods(before).count("tools/call") == 0 or len(self._delivered()) < len(self.reply.events):
            await asyncio.sleep(0)  # noqa: TID251 - lets the call run

    def _delivered(self) -> list[str]:
        return [record.method for record in self.world.journal.records if record.method == "sampling/createMessage"]

    def methods(self, since: int = 0) -> list[str]:
        """Return the methods of the messages that reached the server."""
        return [str(message.get("method")) for message in self.world.upstream.messages[since:]]

    async def tell(
        self, method: str, params: dict[str, Any], caller: Principal = CALLER, *more: tuple[str, str]
    ) -> Got:
        self.world.callers.outcome = caller
        message = {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": params}
        return await self.browser.send(message, *LEGACY, *more)

    async def end(self) -> None:
        self.reply.end.set()
        await asyncio.gather(*self.calls)

    def refused(self) -> list[Refused]:
        return [record for record in self.world.journal.records if isinstance(record, Refused)]


async def test_a_caller_cancels_its_own_call() -> None:
    scene = Scene()
    await scene.call()
    got = await scene.tell("cancelled", {"requestId": 1})
    assert (got.status, got.body) == (202, b"")
    assert scene.methods()[-1] == "notifications/cancelled"
    assert scene.refused() == []
    await scene.end()


@pytest.mark.parametrize(
    ("caller", "named"), [(OTHER, 1), (CALLER, "1"), (CALLER, 2), (OTHER, "1")], ids=["other", "type", "id", "both"]
)
async def test_a_call_that_is_not_the_senders_open_one_is_not_canceled(caller: Principal, named: str | int) -> None:
    scene = Scene()
    await scene.call()
    got = await scene.tell("cancelled", {"requestId": named}, caller)
    assert got.status == 202
    assert "notifications/cancelled" not in scene.methods()
    record = scene.refused()[-1]
    assert (record.code, record.method, record.status) == ("request_not_own", "notifications/cancelled", 202)
    assert record.principal is not None
    assert record.principal.credential_sha256 == caller.credential_sha256
    await scene.end()


async def test_a_call_that_is_over_is_not_canceled_any_more() -> None:
    scene = Scene()
    await scene.call()
    await scene.end()
    await scene.tell("cancelled", {"requestId": 1})
    assert scene.refused()[-1].code == "request_not_own"


async def test_an_id_that_two_callers_use_at_once_cancels_neither_call() -> None:
    scene = Scene()
    await scene.call(7, OTHER)
    await scene.call(7, CALLER)
    await scene.tell("cancelled", {"requestId": 7})
    assert "notifications/cancelled" not in scene.methods()
    assert "another caller" in scene.refused()[-1].detail
    await scene.end()


@pytest.mark.parametrize(
    ("held", "passes"),
    [
        (Held(texts=("held",)), True),
        (Held(texts=("",)), False),
        (Held(texts=("held",), shared=True), False),
        (None, False),
    ],
    ids=["theirs", "nobody's", "shared", "silent"],
)
async def test_a_call_that_runs_in_another_worker_is_asked_about(held: Held | None, passes: bool) -> None:
    peers = Peered(held)
    scene = Scene(peers=peers)
    await scene.tell("cancelled", {"requestId": "a"})
    assert ("notifications/cancelled" in scene.methods()) == passes
    assert peers.claims == [Claim(kind="request", server="s", principal=CALLER.key, names=("a",))]
    assert len(scene.refused()) == (not passes)


@pytest.mark.parametrize("named", [None, True, 1.5, [1], {"a": 1}, "x" * 2000, "absent"])
@pytest.mark.parametrize(("method", "key"), [("cancelled", "requestId"), ("progress", "progressToken")])
async def test_a_name_of_another_form_is_malformed_and_dropped(method: str, key: str, named: object) -> None:
    scene = Scene()
    got = await scene.tell(method, {} if named == "absent" else {key: named, "progress": 1})
    assert got.status == 202
    assert scene.world.upstream.forwards == []
    assert scene.refused()[-1].code == "malformed_shape"


async def test_within_a_session_the_server_knows_its_requests() -> None:
    scene = Scene(peers=Peered(None))
    seal = SessionSeal(upstream_id="u", server="s", principal=CALLER.key, agent="bot", revision="2025-11-25")
    session = ("mcp-session-id", scene.world.ring.close(seal, bytes(12)))
    await scene.tell("cancelled", {"requestId": 99}, CALLER, session)
    await scene.tell("progress", {"progressToken": 99, "progress": 1}, CALLER, session)
    assert scene.methods() == ["notifications/cancelled", "notifications/progress"]
    foreign = await scene.tell("cancelled", {"requestId": 99}, OTHER, session)
    assert foreign.status == 404
    assert len(scene.methods()) == 2


ASKED: Final[dict[str, Any]] = {
    "jsonrpc": "2.0",
    "id": 5,
    "method": "sampling/createMessage",
    "params": {"messages": [], "_meta": {"progressToken": "p"}},
}


@pytest.mark.parametrize(("caller", "token"), [(CALLER, "p"), (OTHER, "p"), (CALLER, "q")])
async def test_progress_passes_for_an_open_request_that_the_server_made_of_the_sender(
    caller: Principal, token: str
) -> None:
    scene = Scene(ASKED)
    await scene.call()
    await scene.tell("progress", {"progressToken": token, "progress": 1}, caller)
    passes = caller is CALLER and token == "p"
    assert ("notifications/progress" in scene.methods()) == passes
    assert [record.code for record in scene.refused()] == ([] if passes else ["token_not_own"])
    await scene.end()
    await scene.tell("progress", {"progressToken": "p", "progress": 1})
    assert scene.refused()[-1].code == "token_not_own"


async def test_many_refused_notifications_share_a_record() -> None:
    scene = Scene()
    scene.world.floods.known = True
    await scene.tell("cancelled", {"requestId": 1})
    assert scene.refused() == []
    assert scene.world.upstream.forwards == []


def cancelled(request_id: object) -> bytes:
    params = {"requestId": request_id}
    message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    return b"data: " + orjson.dumps(message) + b"\n\n"


@pytest.mark.parametrize(("named", "passes"), [(1, True), ("1", False), (2, False), (None, False), (True, False)])
async def test_a_modern_server_cancels_only_the_request_of_its_stream(named: object, passes: bool) -> None:
    world = World(upstream=lambda _: FakeReply(cancelled(named), media="sse", headers=SSE))
    got = await Browser(world).modern("subscriptions/listen", {"notifications": {}})
    assert [event["params"] for event in got.events if "params" in event] == ([{"requestId": named}] if passes else [])


@pytest.mark.parametrize("held", [Held(texts=("sealed",)), Held(texts=("",)), None])
async def test_the_cancellation_of_a_request_that_another_worker_delivered_is_mapped(held: Held | None) -> None:
    world = World(upstream=lambda _: FakeReply(cancelled(5), media="sse", headers=SSE), peers=Peered(held))
    got = await Browser(world).send(
        b"", ("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"), verb="GET"
    )
    named = [event["params"]["requestId"] for event in got.events]
    assert named == (["sealed"] if held is not None and held.texts[0] else [])


async def test_a_long_id_in_a_servers_cancellation_is_not_asked_of_other_workers() -> None:
    peers = Peered(Held(texts=("sealed",)))
    world = World(upstream=lambda _: FakeReply(cancelled("i" * 1_025), media="sse", headers=SSE), peers=peers)
    got = await Browser(world).send(
        b"", ("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"), verb="GET"
    )
    assert got.events == []
    assert peers.claims == []


async def test_requests_in_one_session_do_not_displace_those_of_another() -> None:
    world, requests = World(), OpenRequests()
    await Browser(world).legacy("tools/call", {"name": "t"})
    one = next(iter(world.pipeline.passages._calls.values())).inbound
    two = replace(one, principal=replace(one.principal, subject="other"))
    requests.keep(one, 1, "sealed")
    for number in range(20_000):
        requests.keep(two, number, "other")
    assert requests.find(binding_of(one).hex(), 1) == "sealed"
    assert requests.find(binding_of(two).hex(), 0) is None


def test_the_names_of_one_principal_do_not_displace_those_of_another() -> None:
    ownership = Ownership(NoPeers())
    ownership.keep_task("s", "a", "first")
    for number in range(2_000):
        ownership.keep_task("s", "b", str(number))
    claim = Claim(kind="task", server="s", principal="a", names=("first",))
    assert ownership.local(claim) == Held(texts=("held",))
    old, new = (Claim(kind="task", server="s", principal="b", names=(name,)) for name in ("0", "1999"))
    assert (ownership.local(old).texts, ownership.local(new).texts) == (("",), ("held",))


def test_one_task_may_be_known_by_two_principals() -> None:
    ownership = Ownership(NoPeers())
    ownership.keep_task("s", "a", "1")
    ownership.keep_task("s", "b", "1")
    assert ownership.local(Claim(kind="task", server="s", principal="b", names=("1",))) == Held(
        texts=("held",), shared=True
    )
    assert ownership.local(Claim(kind="task", server="other", principal="b", names=("1",))) == Held(texts=("",))
