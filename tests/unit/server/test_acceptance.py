"""Replies to messages without an id (notifications, answers of clients, the end of a session), and opening a stream."""

from typing import Any

import orjson
import pytest

from gateway.pipeline.ports import Media, UpstreamFailure
from tests.fakes import FakeReply, World
from tests.unit.server.client import JSON, Browser, Got

LEGACY = (*JSON, ("mcp-protocol-version", "2025-11-25"))
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


async def notified(reply: FakeReply | UpstreamFailure) -> tuple[Got, World]:
    """Send a notification that gets this reply."""
    world = World(upstream=lambda _: reply)
    return await Browser(world).send(INITIALIZED, *LEGACY), world


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", "empty"),
        (b"", "json"),
        (b"null", "json"),
        (b"{}", "json"),
        (b"accepted", "json"),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', "json"),
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}', "json"),
        (b"<html>", "other"),
        (b"\xff\xfe", "charset"),
        (b"data: {}\n\n", "sse"),
        (b"x" * 50_000, "json"),
    ],
)
async def test_a_notification_is_accepted_with_any_body_of_the_reply(status: int, body: bytes, media: Media) -> None:
    reply = FakeReply(body, status=status, media=media, headers=(("content-type", "text/html"),))
    got, world = await notified(reply)
    assert (got.status, got.body, got.finished) == (202, b"", True)
    assert "content-type" not in got.headers
    assert reply.closed
    assert (world.journal.completions[-1].outcome, world.journal.completions[-1].status) == ("answered", status)


class Open(FakeReply):
    """A stream that must not be read, because it never ends."""

    async def read(self, limit: int) -> bytes | UpstreamFailure:
        raise AssertionError(limit)

    def chunks(self) -> Any:
        raise AssertionError(self)


async def test_a_stream_in_reply_to_a_notification_is_not_read() -> None:
    got, _ = await notified(Open(media="sse"))
    assert got.status == 202


@pytest.mark.parametrize("status", [400, 404, 405, 409, 429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"jsonrpc":"2.0","id":"server-error","error":{"code":1}}'])
async def test_a_refused_notification_has_the_status_that_the_server_gave(status: int, body: bytes) -> None:
    got, _ = await notified(FakeReply(body, status=status, headers=(("retry-after", "7"),)))
    assert (got.status, got.body, got.headers["retry-after"]) == (status, b"", "7")


@pytest.mark.parametrize("status", [401, 403, 407])
async def test_a_refused_credential_of_the_gateway_is_never_the_clients(status: int) -> None:
    got, world = await notified(FakeReply(b"{}", status=status))
    assert got.status == 502
    assert "credential" in got.json["error"]["message"]
    assert world.journal.completions[-1].outcome == "upstream_unavailable"


async def test_an_answer_of_the_client_is_accepted_in_the_same_way() -> None:
    ask = {"jsonrpc": "2.0", "id": 7, "method": "roots/list"}
    done: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}

    def upstream(message: dict[str, Any]) -> FakeReply:
        if message.get("method") == "tools/call":
            return FakeReply(*(b"data: " + orjson.dumps(each) + b"\n\n" for each in (ask, done)), media="sse")
        return FakeReply(b"null") if "result" in message else FakeReply(orjson.dumps({**done, "id": message["id"]}))

    world = World(upstream=upstream)
    browser = Browser(world)
    asked = await browser.legacy("tools/call", {"name": "t"})
    said: dict[str, Any] = {"jsonrpc": "2.0", "id": asked.events[0]["id"], "result": {"roots": []}}
    got = await browser.send(said, *LEGACY)
    assert (got.status, got.body) == (202, b"")
    assert world.upstream.messages[-1]["id"] == 7


@pytest.mark.parametrize("status", [200, 202, 204, 404, 405])
@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b"null"])
async def test_the_end_of_a_session_has_the_status_that_the_server_gave(status: int, body: bytes) -> None:
    world = World(upstream=lambda _: FakeReply(body, status=status))
    got = await Browser(world).send(b"", ("accept", "*/*"), verb="DELETE")
    assert (got.status, got.body) == (status, b"")


OPENING = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))


@pytest.mark.parametrize(("body", "media"), [(b"{}", "json"), (b"<html>", "other"), (b"", "empty"), (b"x", "charset")])
async def test_a_server_that_opens_no_stream_has_none(body: bytes, media: Media) -> None:
    world = World(upstream=lambda _: FakeReply(body, media=media))
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    assert (got.status, got.headers["allow"], got.body) == (405, "POST", b"")
    assert world.journal.completions[-1].detail == "the server does not open a stream"


@pytest.mark.parametrize("status", [400, 404, 405, 406])
async def test_a_stream_that_is_refused_has_the_status_that_the_server_gave(status: int) -> None:
    world = World(upstream=lambda _: FakeReply(b"{}", status=status))
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    assert (got.status, got.body) == (status, b"")


async def test_a_stream_that_breaks_off_ends_without_an_answer() -> None:
    cut = UpstreamFailure(code="upstream_broken", detail="cut")
    world = World(upstream=lambda _: FakeReply(b": hi\n\n", media="sse", failure=cut))
    got = await Browser(world).send(b"", *OPENING, verb="GET")
    assert (got.events, got.finished) == ([], True)
    assert world.journal.completions[-1].outcome == "upstream_broken"
