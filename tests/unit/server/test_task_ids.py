"""Task ids: each principal knows its tasks by its own sealed ids, and by no others."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
import pytest

from gateway.admission.action import Forward
from gateway.admission.decision import Credential, ListingVerdict, PolicyFailure, Route
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import Principal
from gateway.admission.record import Decided, Refused
from gateway.pipeline.sealed_ids import opened_task_id
from gateway.protocol.headers import decode_value
from gateway.protocol.sealing import SessionSeal
from tests.fakes import CALLER, FakeReply, World, allow
from tests.unit.server.client import JSON, MODERN, Browser, Got, task_text

OTHER: Final = Principal(kind="service", method="token", credential_sha256="cd" * 32)
RELATED: Final = "io.modelcontextprotocol/related-task"
META: Final = "io.modelcontextprotocol/"
SSE: Final = (("content-type", "text/event-stream"),)
LEGACY: Final = (*JSON, ("mcp-protocol-version", "2025-11-25"))
OPENING: Final = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))


def answering(result: Mapping[str, Any]) -> World:
    """A server that answers every request with this result."""

    def upstream(message: dict[str, Any]) -> FakeReply:
        if "id" not in message or "method" not in message:
            return FakeReply(b"", status=202, media="empty")
        return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    return World(upstream=upstream)


def speaking(*messages: Mapping[str, Any] | bytes) -> World:
    """A server that answers with these messages on a stream."""
    raw = [one if isinstance(one, bytes) else orjson.dumps(one) for one in messages]
    return World(upstream=lambda _: FakeReply(*[b"data: " + one + b"\n\n" for one in raw], media="sse", headers=SSE))


def news(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


DONE: Final[dict[str, Any]] = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}


async def ask(world: World, method: str, params: dict[str, Any], era: str = "legacy") -> Got:
    browser = Browser(world)
    if era == "legacy":
        return await browser.legacy(method, params)
    return await browser.modern(method, params, name=params.get("name", params.get("taskId", "")))


def sent(world: World) -> Forward:
    return world.upstream.forwards[-1]


def calls(world: World) -> int:
    """Return how many calls of tools reached the server."""
    return [message.get("method") for message in world.upstream.messages].count("tools/call")


def refused(world: World) -> Refused:
    record = world.journal.records[-1]
    assert isinstance(record, Refused)
    return record


CREATED: Final[dict[str, dict[str, Any]]] = {
    "legacy": {"task": {"taskId": "t-1", "status": "working"}, "_meta": {RELATED: {"taskId": "t-1"}}},
    "modern": {"resultType": "task", "taskId": "t-1", "status": "working"},
}


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_client_learns_of_its_task_by_an_id_that_only_it_can_use(era: str) -> None:
    world = answering(CREATED[era])
    result = (await ask(world, "tools/call", {"name": "t"}, era)).json["result"]
    text = result["taskId"] if era == "modern" else result["task"]["taskId"]
    assert text == task_text(world, "t-1")
    assert opened_task_id(world.ring, text, server="s", principal_key=CALLER.key) == "t-1"
    assert b'"t-1"' not in orjson.dumps(result)
    for params in ({"taskId": text}, {"taskId": text}):
        assert "error" not in (await ask(answering({"taskId": "t-1"}), "tasks/get", params, era)).json


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel"])
async def test_the_server_gets_its_own_id_and_the_client_its_own(method: str) -> None:
    world = answering({"taskId": "t-1", "status": "working", "_meta": {RELATED: {"taskId": "t-1"}}})
    text = task_text(world, "t-1")
    got = await ask(world, method, {"taskId": text})
    assert world.upstream.messages[-1]["params"] == {"taskId": "t-1"}
    result = {"taskId": text, "status": "working", "_meta": {RELATED: {"taskId": text}}}
    assert got.json["result"] == result


@pytest.mark.parametrize("upstream_id", ["t-1", "task \u00e9", " t", "=?base64?x?="])
async def test_header_and_body_name_the_same_task_to_the_server(upstream_id: str) -> None:
    world = answering({"resultType": "complete", "taskId": upstream_id})
    await ask(world, "tasks/get", {"taskId": task_text(world, upstream_id)}, "modern")
    name = dict(sent(world).permit.outbound.headers)["mcp-name"]
    assert decode_value(name) == upstream_id == world.upstream.messages[-1]["params"]["taskId"]


async def test_policy_and_record_name_the_task_as_the_server_does() -> None:
    world = answering({"taskId": "t-1"})
    await ask(world, "tasks/cancel", {"taskId": task_text(world, "t-1")})
    record = world.journal.records[-1]
    assert isinstance(record, Decided)
    assert record.target.name == world.policy.questions[-1].target.name == "t-1"


async def test_nothing_but_the_task_id_of_a_message_changes_on_its_way() -> None:
    world = answering({"taskId": "t-1"})
    text = task_text(world, "t-1")
    raw = b'{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"x":1.50,"y":"\\u00e9","taskId":"%s","z":1e2}}'
    await Browser(world).send(raw % text.encode(), *LEGACY)
    body = sent(world).permit.outbound.body
    assert (
        body
        == b'{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"x":1.50,"y":"\\u00e9","taskId":"t-1","z":1e2}}'
    )


async def test_numbers_in_the_result_of_a_task_keep_their_text() -> None:
    raw = b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"n":340282366920938463463374607431768211455},'
    raw += b'"content":[], "_meta":{"' + RELATED.encode() + b'":{"taskId":"t-1"}}}}'
    world = World(upstream=lambda _: FakeReply(raw))
    got = await ask(world, "tasks/result", {"taskId": task_text(world, "t-1")})
    assert b"340282366920938463463374607431768211455" in got.body
    assert got.json["result"]["_meta"][RELATED]["taskId"] == task_text(world, "t-1")


FOREIGN: Final[dict[str, Callable[[World], str]]] = {
    "the server's own id": lambda world: "t-1",
    "another principal's id": lambda world: task_text(world, "t-1", OTHER),
    "another server's id": lambda world: task_text(world, "t-1", server="other"),
    "a changed id": lambda world: task_text(world, "t-1")[:-4] + "AAAA",
    "a session": lambda world: world.ring.close(
        SessionSeal(upstream_id="t-1", server="s", principal=CALLER.key, agent="bot", revision="2025-11-25"), bytes(12)
    ),
}


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel", "tasks/update"])
@pytest.mark.parametrize("case", FOREIGN)
async def test_a_task_that_is_not_the_callers_is_unknown(case: str, method: str, era: str) -> None:
    if (method, era) in {("tasks/result", "modern"), ("tasks/update", "legacy")}:
        return
    world = answering({"taskId": "t-1"})
    got = await ask(world, method, {"taskId": FOREIGN[case](world)}, era)
    assert (got.status, got.json["error"]["code"]) == (200, -32602)
    assert world.upstream.forwards == []
    assert world.policy.questions == []
    record = refused(world)
    assert (record.code, record.method, record.server) == ("task_unknown", method, "s")
    assert record.principal is not None
    assert record.principal.credential_sha256 == CALLER.credential_sha256


@pytest.mark.parametrize("case", FOREIGN)
async def test_a_call_that_belongs_to_a_foreign_task_is_refused_in_its_form(case: str) -> None:
    world = answering({"content": []})
    got = await ask(world, "tools/call", {"name": "t", "_meta": {RELATED: {"taskId": FOREIGN[case](world)}}})
    assert got.json["result"]["isError"]
    assert world.upstream.forwards == []


@pytest.mark.parametrize("related", [{"TaskId": "t-1"}, {"tas\u212aId": "t-1"}, {"taskid": "t-1", "taskId": "?"}])
async def test_a_key_that_some_server_takes_for_a_task_id_is_refused(related: dict[str, str]) -> None:
    world = answering({"content": []})
    related = {key: task_text(world, "t-1") if value == "?" else value for key, value in related.items()}
    await ask(world, "tools/call", {"name": "t", "_meta": {RELATED: related}})
    assert world.upstream.forwards == []


@pytest.mark.parametrize("related", ["t-1", ["t-1"], 0, {}, {"taskId": None}, {"taskId": ["t-1"]}])
async def test_a_related_task_of_another_form_is_refused(related: object) -> None:
    world = answering({"content": []})
    await ask(world, "tools/call", {"name": "t", "_meta": {RELATED: related}})
    assert world.upstream.forwards == []


async def test_a_message_that_names_too_many_tasks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.pipeline.task_ids.NAMED", 2)
    for count in (2, 3):
        world = answering({"content": []})
        await ask(world, "tools/call", {"name": "t", "notifications": {"taskIds": [task_text(world, "t-1")] * count}})
        assert calls(world) == (count == 2)


async def test_an_own_related_task_reaches_the_server_under_its_own_id() -> None:
    world = answering({"content": []})
    text = task_text(world, "t-1")
    got = await ask(world, "tools/call", {"name": "t", "_meta": {RELATED: {"taskId": text}, "x": 1}})
    assert world.upstream.messages[-1]["params"]["_meta"] == {RELATED: {"taskId": "t-1"}, "x": 1}
    assert got.json["result"] == {"content": []}


@pytest.mark.parametrize("case", FOREIGN)
async def test_a_caller_cannot_listen_to_a_foreign_task(case: str) -> None:
    world = speaking()
    wanted = {"taskIds": [task_text(world, "t-0"), FOREIGN[case](world)]}
    got = await ask(world, "subscriptions/listen", {"notifications": wanted}, "modern")
    assert (got.status, got.json["error"]["code"]) == (200, -32602)
    assert world.upstream.forwards == []


async def test_a_listener_hears_of_the_tasks_of_its_filter_and_of_no_other() -> None:
    ack = news("notifications/subscriptions/acknowledged", notifications={"taskIds": ["t-1", "t-9"]})
    told = [news("notifications/tasks", taskId=task, status="working") for task in ("t-9", "t-1")]
    world = speaking(ack, *told)
    text = task_text(world, "t-1")
    got = await ask(world, "subscriptions/listen", {"notifications": {"taskIds": [text]}}, "modern")
    assert world.upstream.messages[-1]["params"]["notifications"] == {"taskIds": ["t-1"]}
    shown = [event["params"] for event in got.events if "params" in event]
    assert shown == [{"notifications": {"taskIds": [text]}}, {"taskId": text, "status": "working"}]


async def test_only_own_tasks_are_listed_if_the_server_cannot_distinguish_callers() -> None:
    tasks: list[Any] = [{"taskId": task, "status": "working"} for task in ("t-1", "t-2", "t-3", "", 4)]
    world = answering({"tasks": [*tasks, {"status": "working"}, None], "nextCursor": "c"})
    world.pipeline.ownership.keep_task("s", OTHER.key, "t-1")
    world.pipeline.ownership.keep_task("s", CALLER.key, "t-2")
    got = await ask(world, "tasks/list", {})
    assert got.json["result"] == {
        "tasks": [{"taskId": task_text(world, "t-2"), "status": "working"}],
        "nextCursor": "c",
    }


async def test_a_list_for_a_callers_own_credential_is_the_callers_own() -> None:
    person = Principal(kind="user", method="jwt", issuer="i", subject="ann")
    route = Route(url="http://upstream.test/mcp", credential=Credential(name="own", per="principal"))
    world = answering({"tasks": [{"taskId": "t-1"}]})
    world.policy.answer = lambda _: allow(route)
    world.callers.outcome = person
    got = await ask(world, "tasks/list", {})
    text = task_text(world, "t-1", person)
    assert got.json["result"]["tasks"] == [{"taskId": text}]
    world.callers.outcome = CALLER
    assert (await ask(world, "tasks/list", {})).json["result"]["tasks"] == []


async def test_an_answer_about_another_task_than_the_named_one_is_withheld() -> None:
    world = answering({"taskId": "t-2", "status": "completed", "result": {"secret": 1}})
    got = await ask(world, "tasks/get", {"taskId": task_text(world, "t-1")})
    assert got.json["error"]["data"]["reason"] == "upstream_broken"
    assert b"secret" not in got.body


@pytest.mark.parametrize(
    "result",
    [
        {"task": {"taskId": "x" * 641}},
        {"task": {"taskId": 5}},
        {"resultType": "task"},
        {"task": {"taskId": "t", "TaskId": "u"}},
    ],
)
async def test_a_task_whose_id_cannot_be_sealed_does_not_reach_the_client(result: dict[str, Any]) -> None:
    got = await ask(answering(result), "tools/call", {"name": "t"})
    assert got.json["result"]["isError"]
    assert "may have been executed" in got.json["result"]["content"][0]["text"]


async def test_the_longest_task_id_has_a_seal_that_clients_can_name() -> None:
    longest = "x" * 640
    world = answering({"taskId": longest})
    assert len(task_text(world, longest)) <= 1024
    assert (await ask(world, "tasks/get", {"taskId": task_text(world, longest)})).json["result"]["taskId"]


@pytest.mark.parametrize("method", ["notifications/tasks/status", "notifications/message"])
@pytest.mark.parametrize("owner", [CALLER, OTHER, None])
async def test_news_of_a_task_on_a_stream_are_for_its_owner(owner: Principal | None, method: str) -> None:
    named = {"taskId": "t-1"} if method.endswith("status") else {"_meta": {RELATED: {"taskId": "t-1"}}}
    world = speaking(news(method, **named))
    if owner is not None:
        world.pipeline.ownership.keep_task("s", owner.key, "t-1")
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    text = task_text(world, "t-1")
    shown = {"taskId": text} if method.endswith("status") else {"_meta": {RELATED: {"taskId": text}}}
    assert [event["params"] for event in got.events] == ([shown] if owner is CALLER else [])


@pytest.mark.parametrize("owner", [CALLER, OTHER, None])
async def test_news_on_the_stream_of_a_call_may_name_the_new_task_but_no_foreign_one(owner: Principal | None) -> None:
    world = speaking(news("notifications/tasks/status", taskId="t-1"), DONE)
    if owner is not None:
        world.pipeline.ownership.keep_task("s", owner.key, "t-1")
    got = await ask(world, "tools/call", {"name": "t"})
    told = [event["params"]["taskId"] for event in got.events if "params" in event]
    assert told == ([] if owner is OTHER else [task_text(world, "t-1")])


@pytest.mark.parametrize("own", [True, False])
async def test_a_request_within_a_task_reaches_only_the_owner_of_the_task(own: bool) -> None:
    params: dict[str, Any] = {"message": "?", "_meta": {RELATED: {"taskId": "t-1"}, "progressToken": 1}}
    asked = {"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": params}
    world = speaking(asked, DONE)
    world.pipeline.ownership.keep_task("s", (CALLER if own else OTHER).key, "t-1")
    got = await ask(world, "tools/call", {"name": "t"})
    texts = [event["params"]["_meta"][RELATED]["taskId"] for event in got.events if "params" in event]
    assert texts == ([task_text(world, "t-1")] if own else [])
    if own:
        reply = {"action": "accept", "_meta": {RELATED: {"taskId": texts[0]}}}
        await Browser(world).send({"jsonrpc": "2.0", "id": got.events[0]["id"], "result": reply}, *LEGACY)
        assert world.upstream.messages[-1]["id"] == 7
        assert world.upstream.messages[-1]["result"]["_meta"] == {RELATED: {"taskId": "t-1"}}
    else:
        assert world.upstream.messages[-1]["error"]["data"]["reason"] == "policy_denied"


async def test_an_error_takes_the_place_of_an_answer_that_belongs_to_a_foreign_task() -> None:
    world = speaking({"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {"message": "?"}}, DONE)
    got = await ask(world, "tools/call", {"name": "t"})
    reply = {"action": "accept", "_meta": {RELATED: {"taskId": "t-1"}}}
    await Browser(world).send({"jsonrpc": "2.0", "id": got.events[0]["id"], "result": reply}, *LEGACY)
    assert world.upstream.messages[-1]["id"] == 7
    assert world.upstream.messages[-1]["error"]["data"]["reason"] == "policy_denied"
    assert "task_unknown" in [record.code for record in world.journal.records]


async def test_the_ids_of_a_clients_own_tasks_travel_as_they_are() -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": "tasks/get", "params": {"taskId": "mine"}}
    world = speaking(asked, DONE)
    got = await ask(world, "tools/call", {"name": "t"})
    assert got.events[0]["params"] == {"taskId": "mine"}
    reply = {"taskId": "mine", "status": "working", "_meta": {RELATED: {"taskId": "mine"}}}
    await Browser(world).send({"jsonrpc": "2.0", "id": got.events[0]["id"], "result": reply}, *LEGACY)
    assert world.upstream.messages[-1] == {"jsonrpc": "2.0", "id": 7, "result": reply}


async def test_a_client_reports_on_the_tasks_that_it_made_and_on_no_other() -> None:
    world = speaking({"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {"task": {}}}, DONE)
    told = news("notifications/tasks/status", taskId="mine", status="working")
    got = await ask(world, "tools/call", {"name": "t"})
    assert (await Browser(world).send(told, *LEGACY)).status == 202
    assert told not in world.upstream.messages
    assert (refused(world).code, refused(world).status) == ("client_task_not_own", 202)
    reply = {"task": {"taskId": "mine", "status": "working"}}
    await Browser(world).send({"jsonrpc": "2.0", "id": got.events[0]["id"], "result": reply}, *LEGACY)
    assert world.upstream.messages[-1]["result"] == reply
    await Browser(world).send(told, *LEGACY)
    assert world.upstream.messages[-1] == told
    world.callers.outcome = OTHER
    await Browser(world).send(told, *LEGACY)
    assert world.upstream.messages.count(told) == 1


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_a_task_that_policy_does_not_agree_to_does_not_reach_the_client(era: str) -> None:
    world = answering(CREATED[era])
    world.policy.hidden = {"tasks"}
    got = await ask(world, "tools/call", {"name": "t"}, era)
    text = got.json["result"]["content"][0]["text"]
    assert got.json["result"]["isError"]
    assert "policy does not list tasks" in text
    assert "its answer is withheld" in text
    item = world.policy.listings[-1].items[0]
    assert (item.message.method, item.target.type) == ("tasks/get", "task")


@pytest.mark.parametrize("agreed", [True, False])
async def test_a_call_that_asks_for_a_task_needs_agreement_to_tasks(agreed: bool) -> None:
    world = answering({"content": []})
    world.policy.hidden = set() if agreed else {"tasks"}
    got = await ask(world, "tools/call", {"name": "t", "task": {"ttl": 1}})
    assert calls(world) == agreed
    if not agreed:
        assert "Nothing was executed" in got.json["result"]["content"][0]["text"]
        assert (refused(world).code, refused(world).method) == ("policy_denied", "tools/call")


@pytest.mark.parametrize("version", ["2025-06-18", MODERN])
async def test_task_means_nothing_in_a_revision_that_does_not_know_it(version: str) -> None:
    world = answering({"content": [], "resultType": "complete"})
    world.policy.hidden = {"tasks"}
    if version == MODERN:
        await ask(world, "tools/call", {"name": "t", "task": {"ttl": 1}}, "modern")
    else:
        message: dict[str, Any] = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "t", "task": {}},
        }
        await Browser(world).send(message, *JSON, ("mcp-protocol-version", version))
    assert calls(world) == 1


async def test_a_policy_that_cannot_be_asked_about_tasks_gives_none() -> None:
    async def listing(question: PolicyInput) -> ListingVerdict | PolicyFailure:
        del question
        return PolicyFailure(code="policy_unavailable", detail="down")

    world = answering(CREATED["legacy"])
    world.policy.listing = listing
    got = await ask(world, "tools/call", {"name": "t"})
    assert got.json["result"]["isError"]
    got = await ask(world, "tools/call", {"name": "t", "task": {}})
    assert got.json["result"]["isError"]
    assert calls(world) == 1


async def test_a_replayed_answer_names_the_task_as_the_client_knows_it() -> None:
    def upstream(message: dict[str, Any]) -> FakeReply:
        result = {"jsonrpc": "2.0", "id": 1, "result": {"taskId": "t-1", "status": "working"}}
        first = [b"id: e1\ndata:\n\n"] if message else [b"id: e2\ndata: " + orjson.dumps(result) + b"\n\n"]
        return FakeReply(*first, media="sse", headers=SSE)

    world = World(upstream=upstream)
    text = task_text(world, "t-1")
    got = await ask(world, "tasks/result", {"taskId": text})
    event = next(line[4:] for line in got.body.decode().split("\n") if line.startswith("id: "))
    replay = await Browser(world).send(b"", *OPENING, ("last-event-id", event), verb="GET")
    assert replay.events[-1]["result"] == {"taskId": text, "status": "working"}


async def test_an_error_about_a_task_names_it_as_the_client_knows_it() -> None:
    error = {"code": -32000, "message": "canceled", "data": {"_meta": {RELATED: {"taskId": "t-1"}}}}
    world = World(upstream=lambda _: FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": 1, "error": error})))
    got = await ask(world, "tasks/result", {"taskId": task_text(world, "t-1")})
    assert got.json["error"]["data"]["_meta"][RELATED]["taskId"] == task_text(world, "t-1")
