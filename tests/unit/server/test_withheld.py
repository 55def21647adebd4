"""Errors that a server gets in place of a client's answer that policy refuses."""

from typing import Any, Final

import orjson
import pytest

from gateway.admission.decision import Decision
from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import Decided, JournalFailure, Refused
from tests.fakes import FakeReply, World, allow, deny
from tests.unit.server.client import JSON, Browser, Got

LEGACY: Final = (*JSON, ("mcp-protocol-version", "2025-11-25"))
ASK: Final[dict[str, Any]] = {"jsonrpc": "2.0", "id": 7, "method": "elicitation/create", "params": {"message": "?"}}


def upstream(message: dict[str, Any]) -> FakeReply:
    if message.get("method") != "tools/call":
        return FakeReply(status=202, media="empty")
    done: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}
    return FakeReply(*(b"data: " + orjson.dumps(said) + b"\n\n" for said in (ASK, done)), media="sse")


def no_secrets(question: PolicyInput) -> Decision:
    """Refuse answers with a secret, and repeat it in the reason, as careless policies do."""
    return deny("hunter2 is a secret") if "hunter2" in str(question.arguments) else allow()


async def answered(world: World, **content: Any) -> Got:
    """Let the server ask for something, and send this answer."""
    browser = Browser(world)
    sealed = (await browser.legacy("tools/call", {"name": "t"})).events[0]["id"]
    return await browser.send({"jsonrpc": "2.0", "id": sealed, **content}, *LEGACY)


def decided(world: World) -> list[tuple[str, str]]:
    """Return kind and outcome of the records about messages of the client, in order."""
    records = [record for record in world.journal.records if isinstance(record, Decided)]
    return [(record.message_kind, record.outcome) for record in records if record.phase == "request"]


async def test_a_refused_answer_is_replaced_by_an_error_and_the_client_is_released() -> None:
    world = World(no_secrets, upstream)
    got = await answered(world, result={"action": "accept", "content": {"password": "hunter2"}})
    assert got.status == 202
    sent = world.upstream.messages[-1]
    assert (sent["id"], sent["error"]["code"], sent.keys()) == (7, 40301, {"jsonrpc", "id", "error"})
    assert decided(world)[-2:] == [("response", "deny"), ("response", "allow")]
    assert world.journal.completions[-1].call_id == world.journal.records[-1].call_id


async def test_the_error_repeats_neither_the_answer_nor_the_reasons() -> None:
    world = World(no_secrets, upstream)
    await answered(world, result={"action": "accept", "content": {"password": "hunter2"}})
    assert b"hunter2" not in world.upstream.forwards[-1].permit.outbound.body


async def test_policy_is_asked_about_the_error() -> None:
    world = World(no_secrets, upstream)
    await answered(world, result={"action": "accept", "content": {"password": "hunter2"}})
    asked = world.policy.questions[-1]
    assert (asked.message.kind, asked.target.name) == ("response", "elicitation/create")
    assert asked.arguments == {"error": world.upstream.messages[-1]["error"]}


async def test_nothing_is_sent_if_the_error_is_refused_too() -> None:
    world = World(lambda q: deny() if q.message.kind == "response" else allow(), upstream)
    got = await answered(world, result={"action": "accept"})
    assert got.status == 202
    assert world.upstream.messages[-1]["method"] == "tools/call"
    assert decided(world)[-2:] == [("response", "deny"), ("response", "deny")]


async def test_nothing_is_sent_without_a_record_of_the_error() -> None:
    class Failing(World):
        def answer(self, question: PolicyInput) -> Decision:
            if "error" in question.arguments:
                self.journal.failure = JournalFailure(detail="disk full")
            return no_secrets(question)

    world = Failing(upstream=upstream)
    world.policy.answer = world.answer
    got = await answered(world, result={"password": "hunter2"})
    assert got.status == 202
    assert world.upstream.messages[-1]["method"] == "tools/call"


async def test_a_credential_that_is_unknown_by_now_is_answered_401_and_answers_nothing() -> None:
    world = World(lambda q: deny("principal_is_verified") if q.message.kind == "response" else allow(), upstream)
    got = await answered(world, result={"action": "accept"})
    assert got.status == 401
    assert world.upstream.messages[-1]["method"] == "tools/call"
    assert decided(world)[-1] == ("response", "deny")


async def test_an_answer_that_is_too_large_to_be_judged_is_an_error_to_the_server_too() -> None:
    world = World(upstream=upstream)
    got = await answered(world, result={"content": "x" * 6_000})
    assert got.status == 202
    assert world.upstream.messages[-1]["error"]["code"] == 40301


@pytest.mark.parametrize("error", [{"code": -1, "message": "no"}, {"code": -1, "message": "no", "data": {"a": 1}}])
async def test_an_error_of_the_clients_own_is_judged_and_travels_as_it_is(error: dict[str, Any]) -> None:
    world = World(upstream=upstream)
    assert (await answered(world, error=error)).status == 202
    assert world.policy.questions[-1].arguments == {"error": error}
    assert world.upstream.messages[-1]["error"] == error


@pytest.mark.parametrize("content", [b'{"n":9007199254740993}', b'{"n":NaN}', b'{"n":1,"N":2}', b'{"n":1,"n":2}'])
async def test_a_server_gets_an_error_for_an_answer_that_cannot_be_read(content: bytes) -> None:
    world = World(no_secrets, upstream)
    browser = Browser(world)
    sealed = (await browser.legacy("tools/call", {"name": "t"})).events[0]["id"]
    body = b'{"jsonrpc":"2.0","id":"' + sealed.encode() + b'","result":{"action":"accept","content":' + content + b"}}"
    got = await browser.send(body, *LEGACY)
    assert (got.status, got.body) == (202, b"")
    assert world.upstream.messages[-1]["id"] == 7
    assert world.upstream.messages[-1]["error"]["message"] == "The client's answer could not be read."
    assert any(isinstance(record, Refused) for record in world.journal.records)
