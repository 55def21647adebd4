"""Streams over two workers: resumed, filtered, closed when the policy changes; sessions that any worker serves."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from tests.clients.programs import held
from tests.clients.raw import BOTH, PATIENCE_S, Event, Session, events, first, initialized, opened
from tests.running import Gateway, catalog, running, until
from tests.servers.talking import MODERN, TOOLS, Talker, talking

STREAM: Final = {"accept": "text/event-stream"}


def _rules(*servers: str) -> dict[str, Any]:
    who = {"reason": "a test", "owner": "o@e.c"}
    closed = {"tools": ["forbidden"]}, {"resources": ["note://closed"]}
    never = ({"rule": f"never-{n}", "effect": "deny", "what": what, **who} for n, what in enumerate(closed))
    return {"rules": [{"rule": "some", "effect": "allow", "what": {"servers": list(servers)}, **who}, *never]}


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Generator[Talker]:
    with talking(tmp_path_factory.mktemp("talking") / "journal") as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, talker: Talker) -> AsyncGenerator[Gateway]:
    things: dict[str, Any] = {
        "tools": {name: {"action": "read"} for name in TOOLS},
        "resources": {"note://open": {"action": "read"}, "note://closed": {"action": "read"}},
    }
    servers = {name: catalog(name, talker.url, **things) for name in ("open", "closing")}
    servers["quiet"] = catalog("quiet", talker.url, **{**things, "server_requests": []})
    rules = {"rules/open.yaml": _rules("open", "quiet", "closing")}
    root = tmp_path_factory.mktemp("streams")
    async with running(root, servers=servers, files=rules, settings={"workers": 2}) as started:
        yield started


async def test_a_stream_that_broke_off_is_resumed_where_it_was_left(gateway: Gateway) -> None:
    session = await initialized(gateway.url("open"))
    call = session.call("count", to=5)
    async with opened("POST", session.url, session.headers, call) as answer:
        left = await first(events(answer), "notifications/progress")
    async with opened("GET", session.url, {**session.headers, **STREAM, "last-event-id": left.id}) as answer:
        assert answer.status_code == 200
        stream = events(answer)
        seen: list[float] = []
        async with asyncio.timeout(PATIENCE_S):
            async for event in stream:
                if event.method == "notifications/progress":
                    seen.append(event.message["params"]["progress"])
                elif event.message:
                    assert event.message["id"] == call["id"]
                    assert event.message["result"]["content"][0]["text"] == "5"
                    break
    assert seen == [2, 3, 4, 5]


async def test_a_list_that_is_replayed_is_filtered_like_the_first_time(gateway: Gateway) -> None:
    session = await initialized(gateway.url("open"))
    said = await session.said(session.asking("tools/list", {}))
    async with opened("GET", session.url, {**session.headers, **STREAM, "last-event-id": said[0].id}) as answer:
        replayed = await first(events(answer), "")
    names = {tool["name"] for tool in replayed.message["result"]["tools"]}
    assert names == set(TOOLS) - {"forbidden"}
    assert replayed.message["result"] == said[-1].message["result"]


async def test_an_event_of_another_session_is_as_unknown_as_a_forged_one(gateway: Gateway) -> None:
    mine, theirs = await initialized(gateway.url("open")), await initialized(gateway.url("open"))
    event = (await mine.said(mine.call("echo", text="hi")))[0]
    assert event.id
    elsewhere = await initialized(gateway.url("quiet"))
    for session, name in ((theirs, event.id), (mine, "event-0"), (mine, event.id[:-2] + "xx"), (elsewhere, event.id)):
        async with opened("GET", session.url, {**session.headers, **STREAM, "last-event-id": name}) as answer:
            assert answer.status_code == 404
    async with opened("GET", mine.url, {**mine.headers, **STREAM, "last-event-id": event.id}) as answer:
        assert answer.status_code == 200


async def test_a_session_of_another_server_is_unknown(gateway: Gateway) -> None:
    session = await initialized(gateway.url("open"))
    message = session.call("echo", text="hi")
    async with opened("POST", gateway.url("quiet"), session.headers, message) as answer:
        assert answer.status_code == 404


async def test_a_standing_stream_tells_of_changes_and_of_no_resource_that_is_closed(gateway: Gateway) -> None:
    session = await initialized(gateway.url("open"))
    async with opened("GET", session.url, {**session.headers, **STREAM}) as answer:
        assert answer.status_code == 200
        stream = events(answer)
        await session.said(session.call("announce"))
        await first(stream, "notifications/tools/list_changed")
        await session.said(session.call("touch", uri="note://closed"))
        await session.said(session.call("touch", uri="note://open"))
        news = await first(stream, "notifications/resources/updated")
    assert news.message["params"]["uri"] == "note://open"


async def test_a_modern_subscription_tells_of_changes_and_of_no_resource_that_is_closed(gateway: Gateway) -> None:
    url = gateway.url("open")
    async with opened("POST", url, *_listening()) as answer:
        stream = events(answer)
        await first(stream, "notifications/subscriptions/acknowledged")
        await _modern_call(url, "announce")
        changed = await first(stream, "notifications/tools/list_changed")
        await _modern_call(url, "touch", uri="note://closed")
        await _modern_call(url, "touch", uri="note://open")
        news = await first(stream, "notifications/resources/updated")
    assert changed.message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 1
    assert news.message["params"]["uri"] == "note://open"


async def test_an_open_stream_that_the_policy_refuses_from_now_on_is_closed(gateway: Gateway) -> None:
    session, lasting = await initialized(gateway.url("closing")), await initialized(gateway.url("open"))
    get = {**session.headers, **STREAM}
    async with (
        opened("GET", session.url, get) as standing,
        opened("POST", session.url, *_listening()) as listening,
        opened("GET", lasting.url, {**lasting.headers, **STREAM}) as other,
    ):
        modern = events(listening)
        await first(modern, "notifications/subscriptions/acknowledged")
        revision = await gateway.revision()
        gateway.save("rules/open.yaml", _rules("open", "quiet"))
        await gateway.enforced_after(revision)
        await asyncio.gather(_to_its_end(standing), _to_its_end(listening, modern))
        await lasting.said(lasting.call("announce"))
        await first(events(other), "notifications/tools/list_changed")
    async with opened("GET", session.url, get) as refused:
        assert refused.status_code == 405


async def _to_its_end(answer: httpx.Response, stream: AsyncGenerator[Event] | None = None) -> None:
    async with asyncio.timeout(PATIENCE_S):
        try:
            async for _ in stream or events(answer):
                pass
        except httpx.RemoteProtocolError:
            pass  # a stream that is cut has no proper end


async def test_any_worker_serves_a_session_that_another_one_opened(gateway: Gateway) -> None:
    session = await initialized(gateway.url("open"))

    async def both() -> bool | None:
        said = await session.said(session.call("echo", text=session.headers["mcp-session-id"][:20]))
        assert said[-1].message["result"]["content"][0]["text"] == session.headers["mcp-session-id"][:20]
        return len(_writers(gateway, session)) == 2 or None

    await until(both, lambda: f"only {_writers(gateway, session)} served it", deadline_s=PATIENCE_S)


async def test_a_conversation_that_is_spread_over_workers_is_one(gateway: Gateway) -> None:
    said = await asyncio.to_thread(held, "python2", "legacy", gateway.url("open"), gateway.url("quiet"))
    assert said["open"]["cancelled"]
    assert "word" in said["open"]["sampled"]["text"]
    assert "Ada" in said["open"]["elicited"]["text"]
    assert said["quiet"]["last"] == {"error": False, "text": "bye"}


def _writers(gateway: Gateway, session: Session) -> set[str]:
    """The workers that decided calls with this session's text."""
    text = {"text": session.headers["mcp-session-id"][:20]}
    decided = gateway.records("decided")
    return {record["writer"] for record in decided if record["input"].get("arguments") == text}


def _listening() -> tuple[dict[str, str], dict[str, Any]]:
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["note://open", "note://closed"]}
    return _modern("subscriptions/listen", {"notifications": wanted})


def _modern(method: str, params: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    }
    headers = {"accept": BOTH, "mcp-protocol-version": MODERN, "mcp-method": method}
    named = {"mcp-name": params["name"]} if "name" in params else {}
    return {**headers, **named}, {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


async def _modern_call(url: str, tool: str, **arguments: Any) -> None:
    async with opened("POST", url, *_modern("tools/call", {"name": tool, "arguments": arguments})) as answer:
        assert answer.status_code == 200
        assert b'"isError":true' not in (await answer.aread()).replace(b" ", b"")
