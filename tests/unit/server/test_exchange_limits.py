"""Each caller's share of the open requests and of their bytes.

A connection counts for its caller once policy knows the caller.
"""

import asyncio
from typing import Any, Final

import orjson
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.admission.decision import Decision, PolicyFailure
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import ANONYMOUS
from gateway.listening.connections import EXTENSION, Connection
from tests.fakes import FakeReply, World, allow, deny
from tests.unit.server.client import JSON, Browser, Got

BODY: Final[dict[str, Any]] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t"}}
OLD: Final = (*JSON, ("mcp-protocol-version", "2025-11-25"))


def done(message: dict[str, Any]) -> FakeReply:
    return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}))


async def half_sent(browser: Browser, body: bytes) -> asyncio.Task[Got]:
    """Begin a request with an unfinished body."""
    half: list[Message] = [{"type": "http.request", "body": body, "more_body": True}]
    waiting = asyncio.create_task(browser.send(b"", *OLD, events=half))
    while half:
        await asyncio.sleep(0)  # noqa: TID251 - the request takes its turns
    return waiting


async def test_a_caller_with_too_many_requests_under_way_gets_429_until_one_ends() -> None:
    browser = Browser(World(upstream=done), exchanges=1)
    waiting = await half_sent(browser, b"{")
    got = await browser.send(BODY, *OLD)
    assert (got.status, got.headers["retry-after"]) == (429, "1")
    assert got.json["error"]["data"]["reason"] == "rate_limited"
    assert browser.world.upstream.forwards == []
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await browser.send(BODY, *OLD)).status == 200


async def test_callers_without_a_credential_have_shares_by_their_address() -> None:
    anonymous = World(upstream=done)
    anonymous.callers.outcome = ANONYMOUS
    browser = Browser(anonymous, exchanges=1)
    waiting = await half_sent(browser, b"{")
    assert (await browser.send(BODY, *OLD)).status == 429
    assert (await browser.send(BODY, *OLD, source_ip="192.0.2.9")).status == 200
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


LARGE: Final = orjson.dumps({**BODY, "params": {"name": "t", "arguments": {"text": "x" * 50_000}}})


async def test_a_caller_whose_requests_hold_too_many_bytes_gets_429_until_one_ends() -> None:
    browser = Browser(World(upstream=done), held=80_000)
    waiting = await half_sent(browser, LARGE[:-1])
    got = await browser.send(LARGE, *OLD)
    assert (got.status, got.headers["retry-after"]) == (429, "1")
    assert b"limits.bytes_per_principal" in got.body
    assert browser.world.upstream.forwards == []
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await browser.send(LARGE, *OLD)).status == 200


async def test_a_small_request_has_room_next_to_any_large_ones() -> None:
    browser = Browser(World(upstream=done), held=10)
    waiting = await half_sent(browser, LARGE[:-1])
    assert (await browser.send(BODY, *OLD)).status == 200
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_one_request_has_room_although_it_is_larger_than_the_share() -> None:
    browser = Browser(World(upstream=done), held=10)
    assert (await browser.send(LARGE, *OLD)).status == 200


async def test_a_request_whose_client_has_gone_before_it_begins_is_not_asked_about() -> None:
    browser = Browser(World(upstream=done))
    counted = Counted()
    browser.endpoint = counted.around(browser.endpoint)  # pyright: ignore[reportAttributeAccessIssue]
    counted.connection.open = False
    await browser.send(BODY, *OLD)
    assert browser.world.policy.questions == []
    assert browser.world.journal.records == []


class Counted:
    """Represents the connections of a listener."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.connection = Connection("127.0.0.1", proxy=False, end=lambda _: None)

    def identify(self, connection: object, principal: str) -> None:
        self.known.append(principal)

    def around(self, app: ASGIApp) -> ASGIApp:
        async def extended(scope: Scope, receive: Receive, send: Send) -> None:
            await app(
                {**scope, "extensions": {EXTENSION: {"connections": self, "connection": self.connection}}},
                receive,
                send,
            )

        return extended


UNKNOWN: Final = deny("principal_is_verified")
DOWN: Final = PolicyFailure(code="policy_unavailable", detail="down")


@pytest.mark.parametrize(("decision", "known"), [(allow(), True), (deny(), True), (UNKNOWN, False), (DOWN, False)])
async def test_a_connection_counts_for_a_caller_that_policy_knows(
    decision: Decision | PolicyFailure, known: bool
) -> None:
    def decide(_: PolicyInput) -> Decision | PolicyFailure:
        return decision

    browser, counted = Browser(World(decide, done)), Counted()
    browser.endpoint = counted.around(browser.endpoint)  # pyright: ignore[reportAttributeAccessIssue]
    await browser.send(BODY, *OLD)
    assert bool(counted.known) == known
