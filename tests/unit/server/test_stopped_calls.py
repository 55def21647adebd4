"""Running calls that policy now refuses: they end upstream, and their clients and the journal get the reason."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import pytest
from msgspec.structs import replace
from starlette.types import Message

from gateway.admission.action import Forward
from gateway.admission.decision import Decision, PolicyFailure, Route
from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import Decided, JournalFailure
from gateway.pipeline.ports import Moment, UpstreamFailure
from gateway.pipeline.running_calls import UpstreamExchange
from tests.fakes import CALLER, FakePresented, FakeReply, FakeUpstream, World, allow, deny
from tests.unit.server.client import JSON, Browser, Got, task_text

NS: Final = 1_000_000_000
NOW_NS: Final = 1_800_000_000 * NS
WORKING: Final = {"taskId": "t-1", "status": "working", "ttl": None}
OTHER_CREDENTIAL: Final = "cd" * 32
LATE: Final = PolicyFailure(code="policy_unavailable", detail="no answer")


class Silent(FakeReply):
    """A reply that never ends, and records how it was closed."""

    drained: bool | None = None

    async def read(self, limit: int) -> bytes | UpstreamFailure:
        await asyncio.Event().wait()
        return b""

    async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
        for piece in self.pieces:
            yield piece
        await asyncio.Event().wait()

    async def close(self, *, drain: bool) -> None:
        self.drained, self.closed = drain, not drain


class Large(Silent):
    """A reply that exceeds the limit, and never ends."""

    async def read(self, limit: int) -> bytes | UpstreamFailure:
        return UpstreamFailure(code="result_too_large", detail=str(limit))


class Headless(FakeUpstream):
    """An upstream that never answers a call, and answers everything else at once."""

    ended = False

    async def send(self, forward: Forward) -> FakeReply | UpstreamFailure:
        reply = await super().send(forward)
        if b"tools/call" in forward.permit.outbound.body:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.ended = True
                raise
        return reply


_LISTED = {"tools/list": "tools", "resources/list": "resources", "resources/templates/list": "resourceTemplates"}


class Stage:
    """A world whose policy, clock and upstream a test changes while a call runs."""

    def __init__(self, reply: FakeReply | None = None, route: Route | None = None) -> None:
        self.refused: tuple[str, ...] = ()
        self.failing = self.lists_hang = False
        self.route = route
        self.now = Moment(unix_ns=NOW_NS, monotonic_ns=1)
        self.reply = reply or Silent()
        self.world = World(self._answer, self._reply)
        self.browser = Browser(self.world)
        self.world.pipeline.engine.parts.clock.now = lambda: self.now

    def _answer(self, _: PolicyInput) -> Decision | PolicyFailure:
        if self.failing:
            return LATE
        if self.refused:
            return deny(*self.refused)
        return allow(self.route) if self.route else allow()

    def _reply(self, message: dict[str, Any]) -> FakeReply:
        if message.get("method") in {"notifications/cancelled", "tasks/cancel"}:
            return FakeReply(media="empty")
        listed = _LISTED.get(message.get("method", ""))
        if listed and not self.lists_hang:
            return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {listed: []}}))
        return self.reply

    def stop(self) -> None:
        """Enforce other stops, which refuse everything."""
        self.refused, self.world.policy.revision = ("nothing_is_stopped",), "test@0123456789ab.2"

    def later(self, seconds: float) -> None:
        """Advance the time."""
        wall, monotonic = self.now.unix_ns, self.now.monotonic_ns
        self.now = Moment(unix_ns=wall + int(seconds * NS), monotonic_ns=monotonic + int(seconds * NS))

    @property
    def running(self) -> int:
        return len(self.world.pipeline.running)

    @property
    def sent(self) -> list[str]:
        """Return the methods of all sent messages."""
        return [str(message.get("method")) for message in self.world.upstream.messages]

    @property
    def calls(self) -> list[str]:
        """Return the methods of the sent messages, except lists."""
        return [method for method in self.sent if method != "tools/list"]

    @property
    def outcome(self) -> str:
        return self.world.journal.completions[-1].outcome

    async def revise(self) -> int:
        return await self.world.pipeline.running.revise()

    @asynccontextmanager
    async def during(self, sending: Awaitable[Got]) -> AsyncGenerator["asyncio.Future[Got]"]:
        """Keep a call running during the block. It gets its answer soon after."""
        task = asyncio.ensure_future(sending)
        while not self.running or (self.sent and self.sent[-1] in _LISTED and not self.lists_hang):
            await asyncio.sleep(0)  # noqa: TID251 - lets the call get as far as the upstream
        await settled()
        try:
            yield task
            async with asyncio.timeout(20):
                await task
        finally:
            task.cancel()


async def settled() -> None:
    """Run everything that can run."""
    for _ in range(20):
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop


def called(stage: Stage) -> Awaitable[Got]:
    return stage.browser.legacy("tools/call", {"name": "t", "arguments": {"x": 1}})


def modern(stage: Stage) -> Awaitable[Got]:
    return stage.browser.modern("tools/call", {"name": "t", "arguments": {"x": 1}}, name="t")


def told(got: Got) -> dict[str, Any]:
    """Return the machine data of a tool error, whose HTTP status is 200."""
    assert got.status == 200
    message = got.events[-1] if "event-stream" in got.headers["content-type"] else got.json
    assert message["id"] == 1
    result = message["result"]
    assert result["isError"]
    assert "Nothing was executed" not in result["content"][0]["text"]
    assert "its outcome is unknown" in result["content"][0]["text"]
    return dict(result["_meta"]["dev.admission/decision"])


@pytest.mark.parametrize("where", ["head", "body"])
async def test_a_stopped_call_ends_upstream_and_its_client_learns_that_it_was_sent(where: str) -> None:
    stage = Stage()
    if where == "head":
        stage.world.upstream.__class__ = Headless
    async with stage.during(called(stage)) as answer:
        stage.stop()
        assert await stage.revise() == 1
    assert told(answer.result())["code"] == "stopped"
    assert [reason["requirement"] for reason in told(answer.result())["reasons"]] == ["nothing_is_stopped"]
    if isinstance(stage.world.upstream, Headless):
        assert stage.world.upstream.ended
    elif isinstance(stage.reply, Silent):
        assert stage.reply.drained is False
    assert stage.running == 0


async def test_the_journal_says_why_a_call_was_stopped_and_by_which_decision() -> None:
    stage = Stage()
    async with stage.during(called(stage)):
        stage.stop()
        await stage.revise()
    decided = [one for one in stage.world.journal.records if isinstance(one, Decided) and one.method == "tools/call"]
    assert [record.outcome for record in decided] == ["allow", "deny"]
    assert decided[1].requirement == "nothing_is_stopped"
    completed = stage.world.journal.completions[-1]
    assert (completed.call_id, completed.outcome) == (decided[0].call_id, "stopped")
    assert completed.detail == f"nothing_is_stopped (decision {decided[1].decision_id})"


async def test_a_legacy_server_is_notified_with_its_own_id_in_the_same_session() -> None:
    stage = Stage()
    async with stage.during(called(stage)):
        stage.stop()
        await stage.revise()
    await settled()
    assert stage.world.upstream.messages[-1] == {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": 1, "reason": "stopped by policy"},
    }
    permits = [forward.permit for forward in stage.world.upstream.forwards]
    assert permits[-1].receipt == permits[-2].receipt, "on the permit of the call itself"
    assert ("mcp-protocol-version", "2025-11-25") in permits[-1].outbound.headers
    assert [(count.method, count.direction) for count in _counted(stage)] == [("notifications/cancelled", "gateway")]


def _counted(stage: Stage) -> list[Any]:
    stage.world.pipeline.record_counts()
    return [count for count in stage.world.journal.counts if count.direction == "gateway"]


async def test_a_modern_server_is_notified_only_by_the_close_of_the_stream() -> None:
    stage = Stage()
    async with stage.during(modern(stage)) as answer:
        stage.stop()
        await stage.revise()
    await settled()
    assert told(answer.result())["code"] == "stopped"
    assert answer.result().json["result"]["resultType"] == "complete"
    assert stage.calls == ["tools/call"]


async def test_initialize_is_ended_without_a_notification_which_the_protocol_forbids() -> None:
    stage = Stage()
    params: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": {}}
    async with stage.during(stage.browser.legacy("initialize", params)) as answer:
        stage.stop()
        await stage.revise()
    await settled()
    assert stage.sent == ["initialize"]
    assert answer.result().json["error"]["data"]["code"] == "stopped"


async def test_an_answer_that_streams_ends_with_the_refusal_as_its_last_event() -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    stage = Stage(Silent(b"data: " + orjson.dumps(note) + b"\n\n", media="sse"))
    async with stage.during(called(stage)) as answer:
        stage.stop()
        await stage.revise()
    got = answer.result()
    assert [event.get("method") for event in got.events] == ["notifications/message", None]
    assert told(got)["code"] == "stopped"
    assert got.finished
    assert stage.outcome == "stopped"


async def test_a_stream_that_has_brought_its_answer_gets_no_second_one() -> None:
    done: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}
    stage = Stage(Silent(b"data: " + orjson.dumps(done) + b"\n\n", media="sse"))
    async with stage.during(called(stage)) as answer:
        stage.stop()
        await stage.revise()
    assert answer.result().events == [done]
    assert answer.result().finished


@pytest.mark.parametrize("media", ["json", "sse"])
async def test_a_large_result_that_passes_unread_is_broken_off(media: Any) -> None:
    begins = b'{"jsonrpc":"2.0","id":1,"result":{"t":"' + b"x" * 12_000
    stage = Stage(
        Large(begins if media == "json" else b"data: " + begins, media=media),
        Route(url="http://u/mcp", large_results=True),
    )
    async with stage.during(called(stage)) as answer:
        stage.stop()
        await stage.revise()
    got = answer.result()
    assert b"xxx" in got.body
    assert b"isError" not in got.body
    assert not got.finished
    assert (stage.outcome, stage.world.journal.completions[-1].unread) == ("stopped", True)


async def test_an_answer_that_is_being_written_is_not_cut() -> None:
    stage = Stage(FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})))
    written = asyncio.Event()

    async def slow(_: object) -> None:
        await written.wait()

    endpoint, sends = stage.browser.endpoint, list[Message]()

    async def patient(scope: Any, receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        async def delayed(event: Message) -> None:
            sends.append(event)
            await slow(event)
            await send(event)

        await endpoint(scope, receive, delayed)

    stage.browser.endpoint = patient  # pyright: ignore[reportAttributeAccessIssue]
    async with stage.during(called(stage)) as answer:
        assert sends
        stage.stop()
        await stage.revise()
        await settled()
        written.set()
    assert answer.result().json["result"] == {"content": []}
    assert stage.outcome == "answered"


async def test_the_answer_that_is_drained_for_a_client_that_left_is_ended() -> None:
    stage = Stage(Silent(b": ping\n\n", media="sse"))
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t"}})
    leaving: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    class Leaving(Silent):
        async def chunks(self) -> AsyncIterator[bytes | UpstreamFailure]:
            leaving.append({"type": "http.disconnect"})
            gone.set()
            await settled()
            yield b"data: \n\n"
            await asyncio.Event().wait()

    stage.reply = Leaving(media="sse")
    waiting = [*leaving]

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        return

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/servers/s/mcp",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in (*JSON, ("mcp-protocol-version", "2025-11-25"))],
    }
    async with asyncio.timeout(20):
        await stage.browser.endpoint(scope, receive, send)
    assert isinstance(stage.reply, Silent)
    assert (stage.outcome, stage.reply.drained, stage.running) == ("client_gone", True, 1)
    stage.stop()
    assert await stage.revise() == 1
    await settled()
    assert stage.reply.drained is False
    assert stage.sent[-1] == "notifications/cancelled"


async def test_the_gateways_own_look_at_a_list_is_ended_too() -> None:
    stage = Stage()
    stage.lists_hang = True
    async with stage.during(called(stage)) as answer:
        assert stage.sent == ["tools/list"]
        stage.stop()
        await stage.revise()
    assert answer.result().json["result"]["_meta"]["dev.admission/decision"]["code"] == "policy_denied"
    assert [(one.outcome) for one in stage.world.journal.completions] == ["stopped"]
    await settled()
    assert stage.sent == ["tools/list", "notifications/cancelled"]


@pytest.mark.parametrize(
    ("era", "result"),
    [("legacy", {"task": WORKING}), ("modern", {"resultType": "task", "ttlMs": None, **WORKING})],
)
async def test_the_task_that_a_stopped_call_began_is_canceled(era: str, result: dict[str, Any]) -> None:
    stage = Stage(FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})))
    await (called(stage) if era == "legacy" else modern(stage))
    assert stage.running == 1
    stage.stop()
    assert await stage.revise() == 1
    await settled()
    last = stage.world.upstream.forwards[-1].permit.outbound
    message = stage.world.upstream.messages[-1]
    assert (message["method"], message["params"]["taskId"]) == ("tasks/cancel", "t-1")
    if era == "modern":
        assert ("mcp-method", "tasks/cancel") in last.headers
        assert ("mcp-name", "t-1") in last.headers
        assert message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert stage.outcome == "stopped"
    assert "the task of call" in stage.world.journal.completions[-1].detail
    assert (stage.running, len(stage.world.pipeline.tasks)) == (0, 0)


@pytest.mark.parametrize("how", ["get", "news", "ttl"])
async def test_a_task_that_has_ended_is_canceled_no_more(how: str) -> None:
    begun = {**WORKING, "ttl": 1 if how == "ttl" else None}
    stage = Stage(FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"task": begun}})))
    await called(stage)
    ended = {"taskId": "t-1", "status": "completed"}
    if how == "get":
        stage.reply = FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": ended}))
        await stage.browser.legacy("tasks/get", {"taskId": task_text(stage.world, "t-1")})
    elif how == "news":
        news = {"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": ended}
        stage.reply = FakeReply(b"data: " + orjson.dumps(news) + b"\n\n", media="sse")
        await stage.browser.send(b"", *JSON, ("mcp-protocol-version", "2025-11-25"), verb="GET")
    else:
        async with asyncio.timeout(20):
            while stage.running:
                await asyncio.sleep(0)  # noqa: TID251 - until the timer of one millisecond has run
    assert (stage.running, len(stage.world.pipeline.tasks)) == (0, 0)


@pytest.mark.parametrize(("limit", "value", "kept"), [("_MOST", 3, 3), ("KEPT_BYTES", 250, 2)])
async def test_the_tasks_that_are_remembered_are_bounded(
    limit: str, value: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"gateway.pipeline.running_tasks.{limit}", value)
    stage = Stage()
    for number in range(5):
        task = {**WORKING, "taskId": f"t-{number}"}
        stage.reply = FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"task": task}}))
        await called(stage)
    assert (stage.running, len(stage.world.pipeline.tasks)) == (kept, kept)


@pytest.mark.parametrize(("limit", "value", "kept"), [("_DRAINS", 2, 2), ("KEPT_BYTES", 10, 0)])
async def test_the_drains_that_are_registered_are_bounded(
    limit: str, value: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})))
    await called(stage)
    call = next(iter(stage.world.pipeline.passages._calls.values()))
    monkeypatch.setattr(f"gateway.pipeline.running_calls.{limit}", value)
    for _ in range(4):
        stage.world.pipeline.running.drain(call, Silent())
    assert stage.running == kept


async def test_a_caller_that_leaves_often_keeps_a_bounded_number_of_answers_drained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.pipeline.running_calls._OWN_DRAINS", 2)
    stage = Stage(FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})))
    await called(stage)
    call = next(iter(stage.world.pipeline.passages._calls.values()))
    principal = replace(call.inbound.principal, subject="other")
    other = replace(call, inbound=replace(call.inbound, principal=principal))
    replies = [Silent() for _ in range(5)]
    for reply, one in zip(replies, [other, call, call, call, other], strict=True):
        stage.world.pipeline.running.drain(one, reply)
    await asyncio.gather(*stage.world.pipeline.running._background)
    assert [reply.closed for reply in replies] == [False, True, False, False, False]
    assert stage.running == 4


async def test_no_timer_keeps_a_call_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("running_tasks", "running_calls"):
        monkeypatch.setattr(f"gateway.pipeline.{module}.KEPT_BYTES", 0)
    task = {**WORKING, "ttl": 3_600_000}
    stage = Stage(FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"task": task}})))
    await called(stage)
    stage.world.pipeline.running.drain(next(iter(stage.world.pipeline.passages._calls.values())), Silent())
    assert len(stage.world.pipeline.tasks) == 0
    gc.collect()
    assert [kept for kept in gc.get_objects() if isinstance(kept, UpstreamExchange)] == []


@pytest.mark.parametrize("method", ["tasks/get", "tools/call"])
async def test_a_result_that_names_no_new_task_begins_none(method: str) -> None:
    result: dict[str, Any] = WORKING if method == "tasks/get" else {"content": [{"taskId": "t"}], "task": {"taskId": 7}}
    stage = Stage(FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})))
    await stage.browser.legacy(method, {"taskId": "t-1"} if method == "tasks/get" else {"name": "t"})
    assert stage.running == 0


async def test_a_call_that_is_still_allowed_runs_on_and_leaves_no_second_record() -> None:
    stage = Stage()
    async with stage.during(called(stage)) as answer:
        stage.world.policy.revision = "test@0123456789ab.2"
        assert await stage.revise() == 0
        assert stage.world.policy.revised[-1].arguments == {"x": 1}
        asked = len(stage.world.policy.revised)
        assert await stage.revise() == 0
        assert len(stage.world.policy.revised) == asked, "it was asked about by these revisions already"
        assert [record.method for record in stage.world.journal.records] == ["tools/list", "tools/call"]
        assert not answer.done()
        stage.stop()
        stage.world.policy.revision = "test@0123456789ab.3"
        await stage.revise()


async def test_a_call_is_asked_about_again_by_the_time_of_now() -> None:
    stage = Stage()
    async with stage.during(called(stage)):
        stage.later(9)
        await stage.revise()
        assert stage.world.policy.revised == []
        stage.later(2)
        await stage.revise()
        [question] = stage.world.policy.revised
        assert question.context.time.unix_ns == stage.now.unix_ns
        stage.refused = ("agent_is_registered",)
        stage.later(11)
        assert await stage.revise() == 1


async def test_a_read_of_a_listed_spelling_continues_after_it_is_asked_about_again() -> None:
    uri = "docs://page#section"
    stage = Stage(route=Route(url="http://upstream.test/mcp", normal_uris=True))
    stage.world.definitions.presented = FakePresented(uri=uri)
    async with stage.during(stage.browser.legacy("resources/read", {"uri": uri})):
        stage.later(11)
        assert await stage.revise() == 0
        stage.refused = ("nothing_is_stopped",)
        stage.later(11)
        assert await stage.revise() == 1


async def test_an_opa_that_restarts_ends_no_call_and_one_that_stays_away_does() -> None:
    stage = Stage()
    async with stage.during(called(stage)) as answer:
        stage.failing, stage.world.policy.revision = True, "test@0123456789ab.2"
        for _ in range(3):
            assert await stage.revise() == 0
            stage.later(3)
        stage.failing = False
        assert await stage.revise() == 0, "it answers again, and still allows the call"
        stage.failing, stage.world.policy.revision = True, "test@0123456789ab.3"
        assert await stage.revise() == 0, "what failed before counts no more"
        stage.later(10)
        assert await stage.revise() == 1
    assert told(answer.result())["reasons"][0]["requirement"] == "policy_unavailable"


async def test_a_call_ends_with_the_token_that_it_came_with() -> None:
    stage = Stage()
    stage.world.callers.until = NOW_NS / NS + 5
    async with stage.during(called(stage)) as answer:
        stage.later(4)
        assert await stage.revise() == 0
        stage.later(1)
        assert await stage.revise() == 1
    assert told(answer.result())["reasons"][0]["message"] == "the credential expired"
    assert stage.outcome == "stopped"


async def test_a_call_that_was_let_in_by_the_leeway_of_a_token_has_that_leeway() -> None:
    stage = Stage()
    stage.world.callers.until = NOW_NS / NS - 20
    async with stage.during(called(stage)):
        stage.later(5)
        assert await stage.revise() == 0
        stage.later(5)
        assert await stage.revise() == 1


async def test_a_revoked_credential_ends_a_call_without_an_http_401() -> None:
    stage = Stage()
    async with stage.during(called(stage)) as answer:
        stage.refused, stage.world.policy.revision = ("principal_is_verified",), "test@0123456789ab.2"
        await stage.revise()
    assert told(answer.result())["reasons"][0]["requirement"] == "principal_is_verified"


@pytest.mark.parametrize("hangs", [True, False])
async def test_a_journal_that_cannot_record_does_not_keep_a_call_running(
    hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.pipeline.running_calls._RECORD_S", 0.01)
    stage = Stage()
    async with stage.during(called(stage)) as answer:
        if hangs:

            async def decided(_: Decided) -> JournalFailure:
                await asyncio.Event().wait()
                return JournalFailure(detail="never")

            monkeypatch.setattr(stage.world.journal, "decided", decided)
        else:
            stage.world.journal.failure = JournalFailure(detail="full")
        stage.stop()
        assert await stage.revise() == 1
    assert told(answer.result())["code"] == "stopped"


async def test_a_client_that_does_not_read_delays_the_end_by_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.server.perform_action._ANSWER_S", 0.01)
    stage = Stage()
    endpoint = stage.browser.endpoint

    async def stuck(scope: Any, receive: Any, send: object) -> None:
        async def take(_: Message) -> None:
            await asyncio.Event().wait()

        await endpoint(scope, receive, take)

    stage.browser.endpoint = stuck  # pyright: ignore[reportAttributeAccessIssue]
    async with stage.during(called(stage)) as answer:
        stage.stop()
        await stage.revise()
    assert not answer.result().finished
    assert stage.outcome == "stopped"


async def test_many_calls_are_asked_about_a_few_at_a_time() -> None:
    stage, open_, most = Stage(), 0, 0
    revise = stage.world.policy.revise

    async def counted(question: PolicyInput) -> Any:
        nonlocal open_, most
        open_ += 1
        most = max(most, open_)
        await settled()
        open_ -= 1
        return await revise(question)

    stage.world.policy.revise = counted
    tasks = [asyncio.ensure_future(called(stage)) for _ in range(20)]
    async with asyncio.timeout(20):
        while stage.calls.count("tools/call") < 20:
            await asyncio.sleep(0)  # noqa: TID251 - until all of them run
        stage.stop()
        assert await stage.revise() == 20
        answers = await asyncio.gather(*tasks)
    assert most == 4
    assert all(told(got)["code"] == "stopped" for got in answers)


async def test_the_calls_of_one_caller_do_not_keep_those_of_another_from_being_ended() -> None:
    stage, asked = Stage(), list[str | None]()
    revise = stage.world.policy.revise

    async def noted(question: PolicyInput) -> Any:
        asked.append(question.principal.credential_sha256)
        return await revise(question)

    stage.world.policy.revise = noted
    tasks = list[asyncio.Future[Got]]()
    async with asyncio.timeout(20):
        for number in range(21):
            stage.world.callers.outcome = replace(
                CALLER, credential_sha256="ab" * 32 if number < 20 else OTHER_CREDENTIAL
            )
            tasks.append(asyncio.ensure_future(called(stage)))
            while stage.calls.count("tools/call") <= number:
                await asyncio.sleep(0)  # noqa: TID251 - until the call runs
        stage.stop()
        assert await stage.revise() == 21
        await asyncio.gather(*tasks)
    assert asked.index(OTHER_CREDENTIAL) < 4


async def test_a_refused_call_ends_even_if_its_record_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    async def decided(_: Decided) -> JournalFailure:
        raise ValueError("a record that cannot be made")

    async with stage.during(called(stage)) as answer:
        monkeypatch.setattr(stage.world.journal, "decided", decided)
        stage.stop()
        with pytest.raises(ExceptionGroup):
            await stage.revise()
        assert stage.running == 0
    assert told(answer.result())["code"] == "stopped"


async def test_a_journal_that_hangs_does_not_delay_the_end_of_other_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.pipeline.running_calls._RECORD_S", 60)
    stage, waiting, all_wait = Stage(), 0, asyncio.Event()

    async def decided(_: Decided) -> JournalFailure:
        nonlocal waiting
        waiting += 1
        if waiting == 20:
            all_wait.set()
        await all_wait.wait()
        return JournalFailure(detail="never")

    tasks = [asyncio.ensure_future(called(stage)) for _ in range(20)]
    async with asyncio.timeout(20):
        while stage.calls.count("tools/call") < 20:
            await asyncio.sleep(0)  # noqa: TID251 - until all of them run
        monkeypatch.setattr(stage.world.journal, "decided", decided)
        stage.stop()
        assert await stage.revise() == 20
        await asyncio.gather(*tasks)
    assert waiting == 20


async def test_a_call_of_an_agent_that_the_session_does_not_belong_to_any_more_is_ended() -> None:
    stage = Stage()
    assert stage.world.callers.outcome is CALLER
    hello = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25", "capabilities": {}}})
    stage.reply = FakeReply(hello, headers=(("mcp-session-id", "up"),))
    session = (await stage.browser.legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})).headers
    stage.reply = Silent()
    calling = stage.browser.legacy("tools/call", {"name": "t"}, ("mcp-session-id", session["mcp-session-id"]))
    async with stage.during(calling) as answer:
        stage.world.policy.revision = "test@0123456789ab.2"
        stage.world.policy.answer = lambda _: allow(agent="other")
        assert await stage.revise() == 1
    assert told(answer.result())["reasons"][0]["requirement"] == "session_unknown"
    await settled()
    assert ("mcp-session-id", "up") in stage.world.upstream.forwards[-1].permit.outbound.headers
