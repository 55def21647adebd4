"""Whatever a client sends and the policy says: no permit without an allow, and a well-formed answer to everything.

Rule 1: the real pipeline and endpoint over scripted ports; nothing here may reach the scripted server by chance.
"""

import asyncio
import json
from typing import Any, Final, get_args

import orjson
from hypothesis import given, seed
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.admission.decision import Decision, FailureCode, Ground, Obligation, PolicyFailure, Route
from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import JournalFailure
from gateway.protocol.message import Malformed, read
from tests.fakes import REVISION, ROUTE, FakeReply, World, allow, deny
from tests.unit.server.client import JSON, MODERN, Browser, Got

Sent = tuple[bytes, list[tuple[str, str]]]
METHODS: Final = (
    "tools/call",
    "tools/list",
    "resources/read",
    "prompts/get",
    "initialize",
    "server/discover",
    "completion/complete",
    "logging/setLevel",
    "ping",
    "tools/destroy",
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/odd",
)
FAILURES: Final[tuple[FailureCode, ...]] = get_args(FailureCode)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    ("jsonrpc", "id", "method", "params", "result", "error", "name", "arguments", "uri", "_meta", "cursor", "code")
)
odd: st.SearchStrategy[Any] = st.one_of(
    values,
    st.dictionaries(words, values, max_size=5),
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "id": st.integers(0, 9) | values, "method": st.sampled_from(METHODS)},
        optional={"params": st.dictionaries(words, values, max_size=4) | values},
    ),
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "id": st.integers(0, 9) | st.text(max_size=5)},
        optional={"result": values, "error": values},
    ),
)
bodies = odd.map(orjson.dumps) | st.binary(max_size=60) | odd.map(json.dumps).map(str.encode)
revisions = st.sampled_from((None, "2025-03-26", "2025-06-18", "2025-11-25", MODERN, "2099-01-01", ""))


@st.composite
def headers(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Headers of a POST, that agree with the body at times."""
    made = [*JSON]
    revision = draw(revisions)
    if revision is not None:
        made.append(("mcp-protocol-version", revision))
    if draw(st.booleans()):
        made.append(("mcp-method", draw(st.sampled_from(METHODS))))
    if draw(st.integers(0, 3)) == 0:
        made.append(("mcp-session-id", draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9))))
    return made


META: Final = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
}


@st.composite
def sound(draw: st.DrawFn) -> tuple[bytes, list[tuple[str, str]]]:
    """A call as clients send it, in either era, with some arguments."""
    arguments = draw(st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=3))
    params: dict[str, Any] = {"name": "t", "arguments": arguments}
    message: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": draw(st.integers(0, 9)),
        "method": "tools/call",
        "params": params,
    }
    if draw(st.booleans()):
        return orjson.dumps(message), [*JSON, ("mcp-protocol-version", "2025-11-25")]
    params["_meta"] = META
    lines = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "t")]
    return orjson.dumps(message), [*JSON, *lines]


messages = st.tuples(bodies, headers()) | sound()
"""A body and its headers."""


@st.composite
def decisions(draw: st.DrawFn) -> Decision | PolicyFailure:
    """What OPA may say, allows that lack something among it."""
    kind = draw(st.sampled_from(("failure", "deny", "hold", "allow", "odd")))
    if kind == "failure":
        return PolicyFailure(code=draw(st.sampled_from(FAILURES)), detail="x", revision=REVISION)
    if kind == "deny":
        return deny(draw(st.sampled_from(("rules_permit", "principal_is_verified", "agent_is_registered"))))
    whole = allow()
    if kind == "allow":
        return whole
    if kind == "hold":
        return replace(whole, outcome="hold")
    lacking: list[dict[str, Any]] = [
        {"grounds": []},
        {"route": None},
        {"obligations": [Obligation(requirement="r", type="annotate", params={})]},
        {"grounds": [Ground(rule="r", effect="deny")]},
        {"grounds": [Ground(rule="r", effect="allow"), Ground(rule="s", effect="hold")]},
    ]
    return replace(whole, **draw(st.sampled_from(lacking)))


def of_client(world: World) -> list[bytes]:
    """Return the bodies that were sent for the client; what the gateway lists for itself has ids of its own."""
    ids = [orjson.loads(forward.permit.outbound.body or b"{}").get("id") for forward in world.upstream.forwards]
    pairs = zip(world.upstream.forwards, ids, strict=True)
    return [forward.permit.outbound.body for forward, id_ in pairs if not str(id_).startswith("gw-")]


def answering(message: dict[str, Any]) -> FakeReply:
    """Return what the scripted server answers: an empty result."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": message.get("id"), "result": {"content": []}}
    return FakeReply(orjson.dumps(body)) if "id" in message else FakeReply(status=202, media="empty")


def sent(world: World, message: Sent) -> Got:
    """Send a body through the endpoint."""
    body, lines = message
    return asyncio.run(Browser(world).send(body, *lines))


@given(message=messages, decision=decisions())
def test_whatever_is_sent_the_answer_is_well_formed(message: Sent, decision: Decision | PolicyFailure) -> None:
    world = World(lambda _: decision, answering)
    got = sent(world, message)
    assert got.finished
    assert got.status in {200, 202, 400, 401, 404, 503}
    if got.status == 202:
        assert got.body == b""
        return
    answer = got.json
    assert answer["jsonrpc"] == "2.0"
    assert ("result" in answer) != ("error" in answer)
    if "error" in answer:
        assert type(answer["error"]["code"]) is int
        assert type(answer["error"]["message"]) is str
    assert "Traceback" not in got.body.decode()


@given(message=messages, decision=decisions())
def test_nothing_is_sent_without_an_allow_and_its_record(message: Sent, decision: Decision | PolicyFailure) -> None:
    world = World(lambda _: decision, answering)
    sent(world, message)
    allowed = {record.call_id for record in world.journal.records if getattr(record, "outcome", "") == "allow"}
    assert len(world.upstream.forwards) <= len(allowed)
    assert {completed.call_id for completed in world.journal.completions} <= allowed
    if decision != allow():
        assert world.upstream.forwards == []


@given(message=messages)
def test_nothing_is_sent_while_the_journal_fails(message: Sent) -> None:
    world = World(upstream=answering)
    world.journal.failure = JournalFailure(detail="full")
    got = sent(world, message)
    assert world.upstream.forwards == []
    assert got.status in {200, 202, 400, 404, 503}


@given(message=messages)
def test_what_is_sent_is_what_was_judged(message: Sent) -> None:
    questions: list[PolicyInput] = []

    def noted(question: PolicyInput) -> Decision:
        questions.append(question)
        return allow(Route(url=ROUTE.url))

    world = World(noted, answering)
    sent(world, message)
    for body in of_client(world):
        assert body == message[0]
        assert not isinstance(read(message[0]), Malformed)
        method = orjson.loads(message[0])["method"]
        assert method in {question.message.method for question in questions}


@given(message=messages, decision=decisions())
def test_every_message_is_recorded_once(message: Sent, decision: Decision | PolicyFailure) -> None:
    world = World(lambda _: decision, answering)
    sent(world, message)
    ids = [record.call_id for record in world.journal.records]
    assert ids
    assert len(ids) == len(set(ids))
    assert {completed.call_id for completed in world.journal.completions} <= set(ids)


def test_what_is_generated_reaches_the_server_when_it_may() -> None:
    forwarded: list[int] = []

    @seed(1)
    @given(message=messages)
    def look(message: Sent) -> None:
        world = World(upstream=answering)
        sent(world, message)
        forwarded.append(len(of_client(world)))

    look()
    assert set(forwarded) == {0, 1}
    assert sum(forwarded) > len(forwarded) // 5
