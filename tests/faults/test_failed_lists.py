"""The gateway's own list request fails in every way: the call ends as what happened, and the next one is tried again.

Rule 1: the server is a raw socket; how it answers lists is the test's, calls it always answers.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import pytest
from msgspec import Struct

from gateway.admission.decision import Credential, PolicyFailure, Route
from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import Decided
from gateway.pipeline.discovery_limits import DiscoveryLimits
from gateway.pipeline.ports import UpstreamFailure
from gateway.protocol.errors import DECISION_KEY
from gateway.upstream import HttpUpstream, reach
from tests.fakes import World, allow, deny
from tests.servers.scripted import (
    Do,
    Received,
    Script,
    Scripted,
    events,
    garbage,
    redirect,
    serving,
    unauthorized,
    whole,
)
from tests.unit.server.client import Browser
from tests.unit.server.pinned import READ, cache, pinning, session

Lists = Callable[[Received], Script]


class NoSecrets:
    """Has no credential, and needs none."""

    def header(self, credential: Credential, *, server: str, subject: str) -> UpstreamFailure:
        del credential, server, subject
        return UpstreamFailure(code="credential_missing", detail="none")


class Lister(Scripted):
    """Lists as the test says, and answers calls."""

    def __init__(self) -> None:
        super().__init__([])
        self.lists: Lists = listed

    def script_for(self, received: Received) -> Script:
        if received.json["method"].endswith("/list"):
            return self.lists(received)
        return reply(received, {"result": {"content": [{"type": "text", "text": "done"}]}})

    @property
    def methods(self) -> list[str]:
        return [received.json["method"] for received in self.received]


def body(received: Received, content: dict[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": received.json["id"], **content})


def reply(received: Received, content: dict[str, Any], status: str = "200 OK") -> Script:
    return whole(body(received, content), status=status)


def listed(received: Received) -> Script:
    return reply(received, {"result": {"tools": [READ]}})


def error(code: int = -32603, message: str = "out of order", status: str = "200 OK") -> Lists:
    return lambda received: reply(received, {"error": {"code": code, "message": message}}, status)


def always(script: Script) -> Lists:
    return lambda _: script


def stream(*before: bytes, answered: bool = True) -> Lists:
    def script(received: Received) -> Script:
        last = [b"data: " + body(received, {"result": {"tools": [READ]}}) + b"\n\n"] if answered else []
        return events(*before, *last)

    return script


def other_id(received: Received) -> Script:
    return whole(orjson.dumps({"jsonrpc": "2.0", "id": f"{received.json['id']}x", "result": {"tools": [READ]}}))


def status(line: str, content: bytes = b"<html>no</html>", media: str = "text/html", headers: str = "") -> Lists:
    return always(whole(content, status=line, media=media, headers=headers))


NO_SESSION: Final = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Bad Request: not initialized"}}'
CLOSED: Final = [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", Do.CLOSE]


class Failure(Struct, frozen=True):
    """A way in which a list fails, and how the call ends that needs it."""

    lists: Lists
    code: str
    words: str
    timeout_s: float = 60


FAILURES: Final[dict[str, Failure]] = {
    "400": Failure(status("400 Bad Request"), "upstream_unavailable", "HTTP 400"),
    "400 with an error": Failure(
        status("400 Bad Request", NO_SESSION, "application/json"), "upstream_unavailable", "not initialized"
    ),
    "401": Failure(always(unauthorized()), "credential_missing", "credential"),
    "403": Failure(status("403 Forbidden"), "upstream_unavailable", "credential"),
    "404": Failure(status("404 Not Found"), "upstream_unavailable", "HTTP 404"),
    "405": Failure(status("405 Method Not Allowed"), "upstream_unavailable", "HTTP 405"),
    "429": Failure(status("429 Too Many Requests", headers="Retry-After: 7\r\n"), "upstream_unavailable", "7 seconds"),
    "429 for ever": Failure(
        status("429 Too Many Requests", headers="Retry-After: 99999999999\r\n"), "upstream_unavailable", "HTTP 429"
    ),
    "500": Failure(status("500 Internal Server Error"), "upstream_unavailable", "HTTP 500"),
    "502": Failure(status("502 Bad Gateway"), "upstream_unavailable", "HTTP 502"),
    "503": Failure(status("503 Unavailable", headers="Retry-After: 2\r\n"), "upstream_unavailable", "2 seconds"),
    "202": Failure(status("202 Accepted", b""), "upstream_broken", "HTTP 202"),
    "204": Failure(always([b"HTTP/1.1 204 No Content\r\n\r\n"]), "upstream_broken", "HTTP 204"),
    "html": Failure(status("200 OK"), "upstream_broken", "without an MCP message"),
    "redirect": Failure(always(redirect("http://other.test/mcp")), "upstream_broken", "sent a redirect"),
    "garbage": Failure(always(garbage()), "upstream_broken", "not HTTP"),
    "no JSON": Failure(status("200 OK", b"nonsense", "application/json"), "upstream_broken", "not a response"),
    "no list": Failure(lambda r: reply(r, {"result": {}}), "upstream_broken", "does not contain a list"),
    "strange cursor": Failure(
        lambda r: reply(r, {"result": {"tools": [], "nextCursor": 7}}), "upstream_broken", "does not contain a list"
    ),
    "error": Failure(error(), "upstream_unavailable", 'error -32603: "out of order"'),
    "error with 400": Failure(error(status="400 Bad Request"), "upstream_unavailable", '-32603: "out of order"'),
    "error with 500": Failure(error(status="500 Internal"), "upstream_unavailable", '-32603: "out of order"'),
    "long error": Failure(error(message="x" * 5_000), "upstream_unavailable", "x" * 200),
    "no such list": Failure(error(-32601, "Method not found"), "upstream_unavailable", '-32601: "Method not found"'),
    "no such list with 404": Failure(error(-32601, "no", "404 Not Found"), "upstream_unavailable", '-32601: "no"'),
    "too early": Failure(error(-32602, "before initialization"), "upstream_unavailable", "before initialization"),
    "silent stream": Failure(stream(b": nothing\n\n", answered=False), "upstream_broken", "without a response"),
    "another id": Failure(other_id, "upstream_broken", "not a response to the request"),
    "closed": Failure(always([Do.CLOSE]), "upstream_broken", "closed the connection"),
    "reset": Failure(always([Do.RESET]), "upstream_broken", "closed the connection"),
    "cut": Failure(always(CLOSED), "upstream_broken", "in the middle of its answer"),
    "no answer": Failure(always([Do.HANG]), "upstream_timeout", "within 0.3 seconds", 0.3),
    "no end": Failure(
        lambda r: reply(r, {"result": {"tools": [READ], "nextCursor": "again"}}), "result_too_large", "5 pages"
    ),
}


@asynccontextmanager
async def facing(
    answer: Callable[[PolicyInput], Any], *, timeout_s: float = 60
) -> AsyncGenerator[tuple[Lister, World, Browser]]:
    """Run a gateway over a raw server, with small limits on its own lists."""
    server = Lister()
    async with serving(server), reach(NoSecrets(), trust=ssl.create_default_context()) as upstream:
        route = Route(url=server.url, timeout_s=60)

        def routed(question: PolicyInput) -> Any:
            decision = answer(question)
            allowed = not isinstance(decision, PolicyFailure) and decision.outcome == "allow"
            return allow(route) if allowed else decision

        world = _world(routed, upstream, timeout_s)
        yield server, world, Browser(world)


def _world(answer: Callable[[PolicyInput], Any], upstream: HttpUpstream, timeout_s: float) -> World:
    limits = DiscoveryLimits(timeout_s=timeout_s, pages=5, total_bytes=20_000)
    return World(answer, definitions=cache(), sender=upstream, looks=limits)


async def call(browser: Browser, era: str, *headers: tuple[str, str]) -> Any:
    if era == "modern":
        return await browser.modern("tools/call", {"name": "read"}, name="read")
    return await browser.legacy("tools/call", {"name": "read"}, *headers)


def text(got: Any) -> str:
    return str(got.json["result"]["content"][0]["text"])


def code(got: Any) -> str:
    return str(got.json["result"]["_meta"][DECISION_KEY]["code"])


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_call_whose_list_failed_ends_as_the_list_did_and_the_next_is_tried(failure: Failure, era: str) -> None:
    async with facing(pinning(READ), timeout_s=failure.timeout_s) as (server, world, browser):
        server.lists = failure.lists
        got = await call(browser, era)
        assert got.status == 200
        assert code(got) == failure.code
        assert failure.words in text(got)
        assert not any(word in text(got) for word in ("policy_denied", "renew the pin", "x" * 201))
        assert "tools/call" not in server.methods
        record = world.journal.records[-1]
        assert isinstance(record, Decided)
        assert (record.outcome, record.code) == ("deny", failure.code)
        server.lists = listed
        async with asyncio.timeout(60):
            while text(await call(browser, era)) != "done":
                assert failure.code == "upstream_timeout", "only a busy machine may be late once more"


@pytest.mark.parametrize("era", ["legacy", "modern"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_target_that_needs_no_pin_is_called_although_its_list_fails(failure: Failure, era: str) -> None:
    async with facing(pinning(required=False), timeout_s=failure.timeout_s) as (server, world, browser):
        server.lists = failure.lists
        for _ in range(3):
            assert text(await call(browser, era)) == "done"
        record = world.journal.records[-1]
        assert isinstance(record, Decided)
        assert record.input is not None
        assert record.input.definition_status == record.definition_status == "listing_failed"


async def test_a_session_that_the_server_has_ended_is_404_so_that_the_client_initializes_again() -> None:
    async with facing(pinning(READ)) as (server, world, browser):
        server.lists = status("404 Not Found", b'{"error":"session not found"}', "application/json")
        got = await call(browser, "legacy", session(world))
        assert got.status == 404
        assert got.json["error"]["data"]["reason"] == "session_unknown"
        assert got.json["id"] == 1
        server.lists = listed
        assert text(await call(browser, "legacy", session(world, "u2"))) == "done"


async def test_a_session_with_a_server_that_has_no_such_list_goes_on() -> None:
    async with facing(pinning(READ)) as (server, world, browser):
        server.lists = error(-32601, "no", "404 Not Found")
        assert (await call(browser, "legacy", session(world))).status == 200


async def test_the_wait_that_a_server_asks_for_reaches_the_client() -> None:
    async with facing(pinning(READ)) as (server, _, browser):
        server.lists = FAILURES["429"].lists
        assert (await call(browser, "legacy")).headers["retry-after"] == "7"
        server.lists = FAILURES["429 for ever"].lists
        assert "retry-after" not in (await call(browser, "legacy")).headers


async def test_a_call_that_policy_refuses_for_another_reason_too_is_refused_by_policy() -> None:
    async with facing(
        lambda q: allow() if q.target.type == "none" else deny("definition_is_unchanged", "rules_permit")
    ) as (
        server,
        _,
        browser,
    ):
        server.lists = FAILURES["500"].lists
        assert code(await call(browser, "legacy")) == "policy_denied"


async def test_a_list_that_opa_could_not_be_asked_about_ends_the_call_as_that() -> None:
    away = PolicyFailure(code="policy_unavailable", detail="away")
    policy = pinning(READ)
    async with facing(lambda q: away if q.message.method == "tools/list" else policy(q)) as (server, _, browser):
        got = await call(browser, "legacy")
        assert code(got) == "policy_unavailable"
        assert "definition_is_unchanged" not in text(got)
        assert server.received == []


async def test_a_list_that_policy_refuses_is_named_as_the_cause() -> None:
    policy = pinning(READ)
    refused = deny("rules_permit")
    async with facing(lambda q: refused if q.message.method == "tools/list" else policy(q)) as (_, _, browser):
        got = await call(browser, "legacy")
        assert code(got) == "policy_denied"
        assert "policy denies this caller the list" in text(got)


NOISE: Final = [
    b": a comment\n\n",
    b'data: {"type":"heartbeat"}\n\n',
    b"data:\n\n",
    b"event: ping\ndata: \n\n",
    b"data: nonsense\n\n",
    b"data: null\n\n",
    b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}\n\n',
    b'data: {"jsonrpc":"2.0","id":5,"method":"ping"}\n\n',
    b'data: {"jsonrpc":"2.0","id":"other","result":{"tools":[]}}\n\n',
    b"retry: 10\n\n",
    b"id: 7\ndata:\n\n",
]


@pytest.mark.parametrize("noise", [*([piece] for piece in NOISE), NOISE])
async def test_what_comes_before_the_response_on_a_stream_is_passed_over(noise: list[bytes]) -> None:
    async with facing(pinning(READ)) as (server, _, browser):
        server.lists = stream(*noise)
        assert text(await call(browser, "legacy")) == "done"


async def test_a_change_announced_before_the_response_makes_the_gateway_list_again() -> None:
    changed = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
    async with facing(pinning(READ)) as (server, _, browser):
        scripts = [stream(changed), stream()]

        def changing(received: Received) -> Script:
            return scripts.pop(0)(received)

        server.lists = changing
        assert text(await call(browser, "legacy")) == "done"
        assert server.methods.count("tools/list") == 2


async def test_a_server_that_announces_a_change_in_every_list_is_named_as_the_cause() -> None:
    changed = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
    async with facing(pinning(READ)) as (server, _, browser):
        server.lists = stream(changed)
        assert "announced changes" in text(await call(browser, "legacy"))


async def test_pages_together_have_one_limit_of_bytes() -> None:
    def paged(received: Received) -> Script:
        padding = [{"name": f"t{number}", "description": "d" * 800} for number in range(6)]
        return reply(received, {"result": {"tools": padding, "nextCursor": "more"}})

    async with facing(pinning(READ)) as (server, _, browser):
        server.lists = paged
        got = await call(browser, "legacy")
        assert code(got) == "result_too_large"
        assert server.methods.count("tools/list") < 5


async def test_a_stream_without_end_does_not_hold_a_call_for_ever() -> None:
    def endless(received: Received) -> Script:
        del received
        return [*events(*[b": noise\n\n"] * 50, end=False), Do.HANG]

    async with facing(pinning(READ), timeout_s=0.3) as (server, _, browser):
        server.lists = endless
        assert code(await call(browser, "legacy")) == "upstream_timeout"


async def test_calls_that_wait_for_one_list_get_its_outcome_and_another_session_its_own() -> None:
    async with facing(pinning(READ)) as (server, world, browser):
        fails, lists = asyncio.Event(), asyncio.Event()

        def slow(received: Received) -> Script:
            own = received.header("mcp-session-id")
            return [fails, *error()(received)] if own == "u1" else [lists, *listed(received)]

        server.lists = slow
        first = [asyncio.create_task(call(browser, "legacy", session(world))) for _ in range(1)]
        second = asyncio.create_task(call(browser, "legacy", session(world, "u2")))
        await server.arrival(2)
        fails.set()
        assert [code(await one) for one in first] == ["upstream_unavailable"]
        lists.set()  # after the failure: what another session lists is known to all
        assert text(await second) == "done"


async def test_a_list_that_failed_slowly_is_not_waited_for_by_calls_that_need_none() -> None:
    async with facing(pinning(required=False)) as (server, _, browser):
        server.lists = error(-32601, "Method not found")
        for _ in range(5):
            assert text(await call(browser, "legacy")) == "done"
        assert server.methods.count("tools/list") == 1
