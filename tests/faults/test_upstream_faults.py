"""A server that is down, hangs, resets, breaks off or says too much: an answer that says so, a second record, no retry.

Rule 1: what reached the server is counted: whatever went wrong, nothing is sent twice.
"""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, answered, standing
from tests.faults.wire import Got
from tests.running import until
from tests.servers.scripted import (
    MEGABYTE,
    Do,
    Received,
    Script,
    chunk,
    events,
    garbage,
    half_event,
    hang,
    huge,
    redirect,
    reset,
    unauthorized,
    whole,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S: Final = 2
LARGE: Final = 9 * MEGABYTE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    async with standing(tmp_path_factory.mktemp("gateway"), timeout_s=TIMEOUT_S) as made:
        for era in ("modern", "legacy"):
            await calls(made, era)
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def behind(shared: Behind) -> AsyncGenerator[Behind]:
    """The shared gateway; afterwards it serves a call as ever."""
    shared.server.begin()
    await shared.line.called()
    shared.server.begin()
    yield shared
    shared.server.begin()
    assert (await shared.line.called()).message["result"]["content"] == []


BROKEN: Final[dict[str, tuple[Script, str]]] = {
    "a hang": (hang(), "upstream_timeout"),
    "a reset": (reset(), "upstream_broken"),
    "a closed connection": ([Do.CLOSE], "upstream_broken"),
    "no HTTP": (garbage(), "upstream_broken"),
    "half an event": (half_event(), "upstream_broken"),
    "half an event and an end": (half_event(Do.CLOSE), "upstream_broken"),
    "an end without a response": (events(b": nothing\n\n"), "upstream_broken"),
    "half a body": (
        [b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"json', Do.CLOSE],
        "upstream_broken",
    ),
    "half a body and silence": (
        [b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"json', Do.HANG],
        "upstream_timeout",
    ),
    "a chunk size that is no number": (
        [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Do.HANG],
        "upstream_broken",
    ),
    "no JSON": (whole(b"<html>"), "upstream_broken"),
    "HTML": (whole(b"<html>", media="text/html"), "upstream_broken"),
    "no response": (whole(b'{"jsonrpc":"2.0","method":"notifications/message"}'), "upstream_broken"),
    "a response to another request": (whole(b'{"jsonrpc":"2.0","id":"2","result":{}}'), "upstream_broken"),
    "a result and an error": (whole(b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}'), "upstream_broken"),
    "two ids": (whole(b'{"jsonrpc":"2.0","id":2,"id":1,"result":{"content":[]}}'), "upstream_broken"),
    "a result that is no object": (whole(b'{"jsonrpc":"2.0","id":1,"result":[]}'), "upstream_broken"),
    "nesting that ends readers": (whole(b'{"jsonrpc":"2.0","id":1,"result":' + b"[" * 100_000), "upstream_broken"),
    "UTF-16": (whole('{"jsonrpc":"2.0","id":1,"result":{}}'.encode("utf-16")), "upstream_broken"),
    "no MCP in an event": (events(b"data: <html>\n\n"), "upstream_broken"),
    "a redirect": (redirect("http://127.0.0.1:1/"), "upstream_broken"),
    "its own challenge": (unauthorized(), "credential_missing"),
    "its own refusal": (whole(b"go away", status="403 Forbidden", media="text/plain"), "upstream_unavailable"),
    "an error of its own": (
        whole(b"Traceback secret", status="500 Oops", media="text/plain"),
        "upstream_unavailable",
    ),
    "it is overloaded": (whole(b"", status="503 Busy", headers="Retry-After: 1\r\n"), "upstream_unavailable"),
    "too large a body": (huge(LARGE), "result_too_large"),
    "too large a body in chunks": (
        [
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            *[chunk(b" " * MEGABYTE)] * 9,
        ],
        "result_too_large",
    ),
    "too large an event": (events(b"data: ", *[b"x" * MEGABYTE] * 9), "result_too_large"),
}
"""What a server does with a call, and the public code of the answer and of the second record."""


def always(script: Script) -> Callable[[Received], Script]:
    """Return a reply that is this script for every request."""
    return lambda _: script


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("case", BROKEN)
async def test_a_server_without_a_usable_answer_is_a_tool_error(behind: Behind, case: str, era: str) -> None:
    script, code = BROKEN[case]
    before = behind.known()
    behind.server.reply = always(script)
    got = await calls(behind, era)
    assert got.status == 200
    assert got.finished
    assert (got.message["id"], got.message["result"]["isError"], got.reason) == (1, True, code)
    assert not any(word in got.body.decode() for word in ("secret", "upstream.example", "<html>", "Traceback"))
    assert "www-authenticate" not in got.headers
    assert "set-cookie" not in got.headers
    assert (await behind.ended(before))["outcome"] == code
    assert len(behind.server.effects) == 1


async def calls(behind: Behind, era: str) -> Got:
    """Call `echo` in an era."""
    if era == "modern":
        return await behind.line.called()
    return await behind.line.legacy("tools/call", {"name": "echo", "arguments": {}})


async def test_a_server_that_is_down_is_a_tool_error(tmp_path: Path) -> None:
    async with standing(tmp_path, timeout_s=TIMEOUT_S) as behind:
        await behind.line.called()
        before = behind.known()
        behind.server.stop()
        got = await behind.line.called()
        assert (got.status, got.reason) == (200, "upstream_unavailable")
        assert (await behind.ended(before))["outcome"] == "upstream_unavailable"


async def test_other_requests_of_a_broken_server_are_json_rpc_errors(behind: Behind) -> None:
    behind.server.reply = always(reset())
    got = await behind.line.legacy("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {}})
    assert got.status == 200
    assert "error" in got.message


async def test_a_broken_server_does_not_keep_others_from_theirs(behind: Behind) -> None:
    def reply(received: Received) -> Script:
        if received.json["params"]["arguments"]:
            return hang()
        return answered(received, {"content": [], "resultType": "complete"})

    behind.server.reply = reply
    async with behind.line.opened() as (_, writer):
        writer.write(behind.line.posted("echo", {"text": "hang"}))
        await until(lambda: _arrived(behind), lambda: "the call did not arrive")
        assert not (await behind.line.called()).message["result"].get("isError")


async def _arrived(behind: Behind) -> Any:
    return behind.server.effects or None


async def test_a_list_request_that_a_closed_connection_lost_is_sent_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing(tmp_path) as behind:
        script_for = behind.server.script_for
        lost: list[Received] = []

        def script(received: Received) -> Script:
            if received.json["method"] == "tools/list" and not lost:
                lost.append(received)
                return [Do.CLOSE]
            return script_for(received)

        monkeypatch.setattr(behind.server, "script_for", script)
        got = await behind.line.called()
        assert got.message["result"]["content"] == []
        lists = [received for received in behind.server.received if received.json["method"] == "tools/list"]
        assert [received.body for received in lists] == [lost[0].body] * 2
        assert len(behind.server.effects) == 1


async def test_a_call_that_a_closed_connection_lost_is_reported_as_such(behind: Behind) -> None:
    behind.server.reply = always([Do.CLOSE])
    got = await behind.line.called()
    assert "closed the connection before it answered; the call may have been executed" in got.body.decode()
    assert len(behind.server.effects) == 1
