"""Messages on streams while time, policy and servers change."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from gateway.admission.decision import Decision
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import ANONYMOUS
from gateway.admission.record import Decided
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Dependencies
from gateway.pipeline.loop_turns import loop_turns
from gateway.pipeline.ports import Moment
from gateway.server import UnverifiedCaller
from tests.fakes import CALLER, ROUTE, FakeReply, World, allow, deny
from tests.unit.server.client import JSON, Browser, task_text

DONE: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
NOW_S = 1_800_000_000.0
"""The time of the fake clock."""
OPENING = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))


def sse(*messages: dict[str, Any]) -> FakeReply:
    """Return the upstream's messages as server-sent events."""
    return FakeReply(*(b"data: " + orjson.dumps(message) + b"\n\n" for message in messages), media="sse")


def asking(**params: Any) -> dict[str, Any]:
    """Return a server's request for a completion by the client's model."""
    return {"jsonrpc": "2.0", "id": 9, "method": "sampling/createMessage", "params": params}


class Later(World):
    """A world in which the clock advances by an hour at each reading."""

    def _parts(self) -> Dependencies:
        hours = iter(range(1_000))

        class Clock:
            def now(self) -> Moment:
                return Moment(unix_ns=1_800_000_000_000_000_000 + next(hours) * 3_600_000_000_000, monotonic_ns=1)

        return replace(super()._parts(), clock=Clock())


async def test_streams_without_a_credential_have_shares_by_their_address() -> None:
    world = World(upstream=lambda _: Standing(media="sse"))
    world.callers.outcome = ANONYMOUS
    browser = Browser(world, streams=1)
    first = asyncio.create_task(browser.send(b"", *OPENING, verb="GET"))
    async with asyncio.timeout(20):
        while not len(browser.streams):
            await asyncio.sleep(0)  # noqa: TID251 - until the first stream is open
        refused = await browser.send(b"", *OPENING, verb="GET")
        second = asyncio.create_task(browser.send(b"", *OPENING, verb="GET", source_ip="192.0.2.9"))
        while len(browser.streams) < 2:
            await asyncio.sleep(0)  # noqa: TID251 - until the second stream is open
    assert refused.status == 429
    browser.streams.close()
    await asyncio.gather(first, second)
    assert len(browser.streams) == 0


async def test_a_servers_request_on_a_stream_is_judged_by_the_time_of_the_request() -> None:
    world = Later(upstream=lambda _: sse(asking(maxTokens=1), asking(maxTokens=2), DONE))
    await Browser(world).legacy("tools/call", {"name": "t"})
    times = [q.context.time.unix_ns for q in world.policy.questions if q.phase == "server_request"]
    opened = next(q.context.time.unix_ns for q in world.policy.questions if q.phase == "request")
    assert len(times) == 2
    assert opened < times[0] < times[1]


async def test_news_on_a_stream_are_judged_by_the_time_at_which_they_come() -> None:
    update = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "file:///a"}}
    world = Later(upstream=lambda _: sse(update))
    await Browser(world).send(b"", *OPENING, verb="GET")
    assert world.policy.listings[0].context.time.unix_ns > world.policy.questions[0].context.time.unix_ns


async def test_a_servers_request_with_too_large_arguments_is_refused_and_recorded() -> None:
    world = World(upstream=lambda message: sse(asking(messages="x" * 6_000), DONE) if "id" in message else sse())
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert [event.get("method") for event in got.events] == [None]
    assert all(question.phase != "server_request" for question in world.policy.questions)
    asked = [r for r in world.journal.records if isinstance(r, Decided) and r.phase == "server_request"]
    assert [(record.method, record.outcome) for record in asked] == [("sampling/createMessage", "deny")]


async def test_a_servers_method_of_unlimited_length_is_not_a_message() -> None:
    world = World(upstream=lambda _: sse({"jsonrpc": "2.0", "id": 9, "method": "m" * 300, "params": {}}, DONE))
    await Browser(world).legacy("tools/call", {"name": "t"})
    assert all(question.phase != "server_request" for question in world.policy.questions)


@pytest.mark.parametrize("hidden", [True, False])
async def test_news_of_a_task_reach_only_clients_that_may_read_the_task(hidden: bool) -> None:
    params = {"taskId": "t1", "status": "completed"}
    world = World(upstream=lambda _: sse({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": params}))
    world.policy.hidden = {"t1"} if hidden else set()
    world.pipeline.ownership.keep_task("s", CALLER.key, "t1")
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    assert [event["params"]["taskId"] for event in got.events] == ([] if hidden else [task_text(world, "t1")])
    item = world.policy.listings[0].items[0]
    assert (item.message.method, item.target.type, item.target.name) == ("tasks/get", "task", "t1")


@pytest.mark.parametrize("agreed", [True, False])
async def test_a_request_in_the_news_of_a_task_is_judged_too(agreed: bool) -> None:
    ask: dict[str, Any] = {"k": {"method": "elicitation/create", "params": {"message": "?"}}}
    params = {"taskId": "t1", "status": "input_required", "inputRequests": ask}
    news = {"jsonrpc": "2.0", "method": "notifications/tasks", "params": params}
    world = World(
        lambda question: deny() if question.phase == "server_request" and not agreed else allow(),
        lambda message: sse(news, {"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete"}}),
    )
    got = await Browser(world).modern("tools/call", {"name": "t"}, name="t")
    shown = {**params, "taskId": task_text(world, "t1")}
    assert [event["params"] for event in got.events if "params" in event] == ([shown] if agreed else [])
    assert [question.message.method for question in world.policy.questions][-1] == "elicitation/create"


@pytest.mark.parametrize(
    "params",
    [
        b'{"uri":"file:///hidden","uri":"file:///a"}',
        b'{"uri":"file:///hidden","u\\u0072i":"file:///a"}',
        b'{"uri":"file:///hidden", "_meta":{"x":1,"x":2},"uri":"file:///a"}',
    ],
)
async def test_a_client_reads_the_judged_news_also_if_its_reader_takes_another_key(params: bytes) -> None:
    raw = b'{"jsonrpc":"2.0","method":"notifications/resources/updated","params":' + params + b"}"
    world = World(upstream=lambda _: FakeReply(b"data: " + raw + b"\n\n", media="sse"))
    world.policy.hidden = {"file:///hidden"}
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    assert b"file:///a" in got.body
    assert b"hidden" not in got.body


async def test_news_that_every_reader_reads_alike_travel_as_they_came() -> None:
    raw = b'{"method":"notifications/resources/updated", "jsonrpc":"2.0","params":{"x":1.50,"uri":"file:///a"}}'
    world = World(upstream=lambda _: FakeReply(b"data: " + raw + b"\n\n", media="sse"))
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    assert raw in got.body


async def test_a_stream_decided_before_a_policy_change_is_asked_about_again() -> None:
    refused = False

    def answer(_: PolicyInput) -> Decision:
        return deny() if refused else allow()

    world, closed = World(answer, lambda _: sse(asking())), list[str]()
    browser = Browser(world)
    await browser.send(b"", *OPENING, verb="GET")
    call = next(iter(world.pipeline.passages._calls.values()))
    refused, world.policy.revision = True, "test@0123456789ab.2"
    assert await browser.streams.revise(world.pipeline) == 0
    assert browser.streams.begin(call, lambda: closed.append("closed")) is not None
    assert await browser.streams.revise(world.pipeline) == 1
    assert closed == ["closed"]
    assert await browser.streams.revise(world.pipeline) == 0
    assert world.policy.revised == world.policy.questions[-1:], "at our own expense, not in a place of its caller's"


async def test_the_events_before_the_answer_to_initialize_are_limited() -> None:
    noise = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x" * 900}}
    world = World(upstream=lambda _: sse(*[noise] * 50, DONE))
    got = await Browser(world).legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert got.json["error"]["data"]["reason"] == "result_too_large"
    assert world.journal.completions[-1].outcome == "result_too_large"
    assert world.journal.completions[-1].events < 20


async def test_an_answer_that_has_begun_breaks_off_when_the_gateway_fails() -> None:
    class Broken(FakeReply):
        async def chunks(self) -> AsyncIterator[bytes]:
            yield b"data: " + orjson.dumps({**DONE, "id": "other"}) + b"\n\n"
            raise RuntimeError("a defect")

    got = await Browser(World(upstream=lambda _: Broken(media="sse"))).legacy("logging/setLevel", {"level": "info"})
    assert b"internal_failure" not in got.body
    assert not got.finished


class Standing(FakeReply):
    """A stream that stays silent forever."""

    async def chunks(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


@pytest.mark.parametrize("left_s", [-20.0, 0.05])
async def test_a_stream_is_closed_when_the_credential_that_opened_it_ends(left_s: float) -> None:
    world = World(upstream=lambda _: Standing(media="sse"))
    world.callers.until = NOW_S + left_s
    browser = Browser(world)
    async with asyncio.timeout(20):
        await browser.send(b"", *OPENING, verb="GET")
    ended = world.journal.completions[-1]
    assert (ended.outcome, ended.detail) == ("closed", "the credential expired")
    assert len(browser.streams) == 0


async def test_a_stream_whose_credential_lasts_stays_open_and_leaves_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    later = loop.call_later

    def call_later(delay: float, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        timer = later(delay, *arguments, **more)
        rests = getattr(arguments[0], "__self__", None) is loop_turns().long
        timers.extend([] if rests else [timer])  # the rests of the event loop are not the stream's
        return timer

    monkeypatch.setattr(loop, "call_later", call_later)
    world = World(upstream=lambda _: sse(asking()))
    world.callers.until = NOW_S + 1e12
    await Browser(world).send(b"", *OPENING, verb="GET")
    assert world.journal.completions[-1].outcome == "answered"
    assert timers
    assert all(timer.cancelled() for timer in timers)


async def test_a_call_that_was_let_in_outlives_its_credential() -> None:
    world = World(upstream=lambda _: sse(DONE))
    world.callers.until = NOW_S - 20
    got = await Browser(world).legacy("tools/call", {"name": "t"})
    assert [event["id"] for event in got.events] == [1]


async def test_headers_of_strangers_are_not_recorded_one_by_one() -> None:
    world = World()
    world.callers.outcome = UnverifiedCaller(cause="token_missing", reason="none", status=401, recorded=False)
    got = await Browser(world).send({}, *JSON, ("mcp-method", "a"), ("mcp-method", "b"))
    assert got.status == 401
    assert world.journal.records == []


async def test_definitions_of_another_address_do_not_count_for_this_one() -> None:
    world = World(upstream=lambda m: FakeReply(orjson.dumps({**DONE, "id": m["id"], "result": {"tools": []}})))
    browser = Browser(world)
    await browser.legacy("tools/list")
    world.policy.answer = lambda _: allow(replace(ROUTE, url="http://moved.test/mcp"))
    await browser.legacy("tools/list")
    views = {view for view, _ in world.definitions.learned}
    assert len(views) == 2


@pytest.mark.parametrize("key", ["TOOLS", "tool\u017f"])
async def test_a_list_under_a_key_that_some_clients_read_as_the_list_is_refused(key: str) -> None:
    world = World(upstream=lambda _: sse({**DONE, "result": {"tools": [], key: [{"name": "hidden"}]}}))
    got = await Browser(world).legacy("tools/list")
    assert b"hidden" not in got.body


async def test_a_stream_is_asked_about_again_after_a_minute_also_without_a_new_revision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    browser = Browser(world)
    opened: list[Call] = []
    closed: list[str] = []
    begin = browser.streams.begin
    monkeypatch.setattr(browser.streams, "begin", lambda call, close: (opened.append(call), begin(call, close))[1])  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    await browser.send(b"", *OPENING, verb="GET")
    assert begin(opened[0], lambda: closed.append("closed")) is not None
    world.policy.answer = lambda question: deny(question.message.method)
    assert await browser.streams.revise(world.pipeline) == 0
    begun = opened[0].begun
    later = Moment(unix_ns=begun.unix_ns, monotonic_ns=begun.monotonic_ns + 61_000_000_000)
    monkeypatch.setattr(world.pipeline.engine.parts.clock, "now", lambda: later)
    assert await browser.streams.revise(world.pipeline) == 1
    assert closed == ["closed"]
