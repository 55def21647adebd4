"""`catalog import` with servers as they are: what clients can work with can be imported."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.cli.catalog.http_exchange import Unreachable
from gateway.cli.catalog.survey import Survey, survey
from gateway.policy.sources.document import Document, read_document
from tests.certificates import pair
from tests.servers.recording import recording
from tests.servers.scripted import Do, Received, Script, Scripted, chunk, events, redirect, scripted, serving, whole
from tests.servers.sdk1 import sdk1

SESSION: Final = "Mcp-Session-Id: real\r\n"
Reply = Callable[[Received], Script]


class Legacy(Scripted):
    """A server of the legacy era that lists one tool; a test says what it does differently, by method."""

    def __init__(self) -> None:
        super().__init__([])
        self.replies: dict[str, Reply | Script] = {}
        self.capabilities: Mapping[str, Any] = {"tools": {}}

    def script_for(self, received: Received) -> Script:
        method = str(received.json.get("method")) if received.body else received.verb
        reply = self.replies.get(method)
        if reply is not None:
            return reply(received) if callable(reply) else reply
        return self.usual(received, method)

    def usual(self, received: Received, method: str) -> Script:
        """Answer as a server without peculiarities."""
        results: dict[str, dict[str, Any]] = {
            "initialize": {
                "protocolVersion": "2025-06-18",
                "capabilities": self.capabilities,
                "serverInfo": {"name": "x", "version": "1"},
            },
            "tools/list": {"tools": [tool("read_x")]},
            "prompts/list": {"prompts": [{"name": "p"}]},
        }
        if method == "DELETE" or (received.body and "id" not in received.json):
            return whole(b"", status="202 Accepted")
        if method in results:
            return result(received, results[method])
        return error(received, -32601, "Method not found")

    def got(self, method: str) -> list[Received]:
        """Return the messages of a method that arrived."""
        return [one for one in self.received if one.body and one.json["method"] == method]


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}}


def result(received: Received, found: Mapping[str, Any], *, headers: str = "", **more: Any) -> Script:
    message = {"jsonrpc": "2.0", "id": received.json["id"], "result": found, **more}
    return whole(json.dumps(message).encode(), headers=headers)


def error(received: Received, code: int, text: str, *, status: str = "200 OK", headers: str = "") -> Script:
    message = {"jsonrpc": "2.0", "id": received.json["id"], "error": {"code": code, "message": text}}
    return whole(json.dumps(message).encode(), status=status, headers=headers)


@pytest.fixture
async def server() -> AsyncGenerator[Legacy]:
    made = Legacy()
    async with serving(made):
        yield made


async def surveyed(url: str, **more: Any) -> Survey:
    return await asyncio.to_thread(survey, url, timeout_s=20, **more)


async def refused(url: str, **more: Any) -> str:
    with pytest.raises(Unreachable) as caught:
        await surveyed(url, **more)
    return str(caught.value)


def names(found: Survey, method: str = "tools/list") -> list[str]:
    return [entry["name"] for entry in found.lists[method]]


async def imported(*arguments: str | Path) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["catalog", *map(str, arguments)])


@pytest.mark.environment("client1")
@pytest.mark.parametrize("media", ["sse", "json"])
@pytest.mark.parametrize("state", ["stateful", "stateless"])
def test_a_server_of_the_python_sdk_1_is_imported(state: str, media: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with sdk1(state, media) as url:
        options = ["--server", "x", "--owner", "a@example.com", "-o", str(path)]
        got = CliRunner().invoke(main, ["catalog", "import", url, *options])
        assert got.exit_code == 0, got.output
        assert CliRunner().invoke(main, ["catalog", "diff", str(path)]).exit_code == 0
    document = read_document(str(path), path.read_bytes())
    assert isinstance(document, Document)
    assert list(document.value["tools"]) == ["add"]
    assert list(document.value["prompts"]) == ["greet"]
    assert list(document.value["resources"]) == ["note://*"]


@pytest.mark.parametrize("options", [(), ("--legacy",)])
def test_a_server_of_the_python_sdk_2_is_imported(options: tuple[str, ...], tmp_path: Path) -> None:
    with recording(tmp_path / "journal", *options) as running:
        found = survey(running.url)
    assert "read_note" in names(found)
    assert not found.failed


DISCOVERED: Final[dict[str, Reply | Script]] = {
    "400 with a session that is not one": lambda got: error(
        got, -32600, "Missing session ID", status="400 Bad Request", headers="Mcp-Session-Id: false\r\n"
    ),
    "400 without a message": whole(b"Bad Request", status="400 Bad Request", media="text/plain"),
    "404": whole(b"", status="404 Not Found"),
    "405": whole(b"", status="405 Method Not Allowed"),
    "406": whole(b'{"error":"Not Acceptable"}', status="406 Not Acceptable"),
    "500 with HTML": whole(b"<html>oops", status="500 Internal Server Error", media="text/html"),
    "500 with an error": lambda got: error(got, -32603, "boom", status="500 Oops"),
    "403 for what it does not know": whole(b"", status="403 Forbidden"),
    "501": whole(b"", status="501 Not Implemented"),
    "HTML": whole(b"<html>", media="text/html"),
    "an empty 200": whole(b""),
    "202": whole(b"", status="202 Accepted"),
    "204": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "an error without an id": whole(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}'),
    "an empty result": lambda got: result(got, {}, headers="Mcp-Session-Id: false\r\n"),
    "another revision": lambda got: result(got, {"supportedVersions": ["2025-11-25"]}),
    "a closed connection": [Do.CLOSE],
    "a reset": [Do.RESET],
    "an event stream that ends": events(b": nothing\n\n"),
    "a compressed answer": whole(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"),
}


@pytest.mark.parametrize("discovered", DISCOVERED)
async def test_a_server_that_does_not_know_discovery_is_initialized(server: Legacy, discovered: str) -> None:
    server.replies["server/discover"] = DISCOVERED[discovered]
    server.replies["initialize"] = lambda got: _with(server.usual(got, "initialize"), SESSION)
    found = await surveyed(server.url)
    assert (names(found), found.revision, found.name) == (["read_x"], "2025-06-18", "x")
    assert [got.header("mcp-session-id") for got in server.got("initialize")] == [None]
    for method in ("notifications/initialized", "tools/list"):
        (got,) = server.got(method)
        assert got.header("mcp-session-id") == "real"
        assert got.header("mcp-protocol-version") == "2025-06-18"
    assert [one.verb for one in server.received][-1] == "DELETE"


def _with(script: Script, headers: str) -> Script:
    """Return an answer with further header lines."""
    (whole_answer,) = script
    assert isinstance(whole_answer, bytes)
    first, _, rest = whole_answer.partition(b"\r\n")
    return [first + b"\r\n" + headers.encode() + rest]


def _event(message: Mapping[str, Any] | list[Any]) -> bytes:
    return b"event: message\r\ndata: " + json.dumps(message).encode() + b"\r\n\r\n"


def _listed(got: Received, **changes: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": got.json["id"], "result": {"tools": [tool("odd")]}, **changes}


def _streamed(*before: bytes, end: bool = True) -> Reply:
    def reply(got: Received) -> Script:
        return [*events(*before, _event(_listed(got)), end=end), *([] if end else [Do.HANG])]

    return reply


LISTED: Final[dict[str, Reply]] = {
    "an id as text": lambda got: whole(json.dumps(_listed(got, id=str(got.json["id"]))).encode()),
    "an id as a float": lambda got: whole(json.dumps(_listed(got, id=float(got.json["id"]))).encode()),
    "an array of one": lambda got: whole(json.dumps([_listed(got)]).encode()),
    "a null error": lambda got: whole(json.dumps(_listed(got, error=None)).encode()),
    "charset=utf8": lambda got: whole(json.dumps(_listed(got)).encode(), media="application/json; charset=utf8"),
    "another spelling of its type": lambda got: whole(json.dumps(_listed(got)).encode(), media="Application/JSON"),
    "text/plain": lambda got: whole(json.dumps(_listed(got)).encode(), media="text/plain"),
    "a stream": _streamed(),
    "a stream that stays open": _streamed(end=False),
    "comments before": _streamed(b": ping - 2026\r\n\r\n", b":\n", b"\n\n", b"retry: 100\n\n", b"id: 1\ndata:\n\n"),
    "heartbeats before": _streamed(b'data: {"type":"heartbeat"}\n\n', b"data: ping\n\n", b"event: ping\ndata: {}\n\n"),
    "notifications before": _streamed(
        _event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}),
        _event({"jsonrpc": "2.0", "id": 9, "method": "ping"}),
    ),
    "another response before": _streamed(_event({"jsonrpc": "2.0", "id": 77, "result": {"tools": []}})),
    "Text/Event-Stream": lambda got: [
        b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf8\r\nTransfer-Encoding: chunked\r\n\r\n",
        chunk(_event(_listed(got))),
        b"0\r\n\r\n",
    ],
}


@pytest.mark.parametrize("listed", LISTED)
async def test_an_answer_is_read_as_clients_read_it(server: Legacy, listed: str) -> None:
    server.replies["tools/list"] = LISTED[listed]
    assert names(await surveyed(server.url)) == ["odd"]


NOTIFIED: Final[dict[str, Script]] = {
    "200 null": whole(b"null"),
    "200 with nothing": whole(b""),
    "200 with an object": whole(b"{}"),
    "200 with text": whole(b"Accepted", media="text/plain"),
    "204": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "202 null": whole(b"null", status="202 Accepted"),
    "201": whole(b"", status="201 Created"),
    "a stream that stays open": [*events(b": ping\n\n", end=False), Do.HANG],
    "400": whole(b"", status="400 Bad Request"),
    "a closed connection": [Do.CLOSE],
}


@pytest.mark.parametrize("notified", NOTIFIED)
async def test_any_reply_to_a_notification_is_acceptance(server: Legacy, notified: str) -> None:
    server.replies["notifications/initialized"] = NOTIFIED[notified]
    assert names(await surveyed(server.url)) == ["read_x"]


async def test_a_server_that_lists_only_once_it_is_initialized_is_imported(server: Legacy) -> None:
    def listed(got: Received) -> Script:
        if not server.got("notifications/initialized"):
            return error(got, -32602, "Received request before initialization was complete")
        return server.usual(got, "tools/list")

    server.replies["tools/list"] = listed
    server.replies["DELETE"] = whole(b"", status="405 Method Not Allowed")
    assert names(await surveyed(server.url)) == ["read_x"]


async def test_a_server_that_does_not_confirm_the_end_of_a_session_is_imported(server: Legacy) -> None:
    server.replies["initialize"] = lambda got: _with(server.usual(got, "initialize"), SESSION)
    server.replies["DELETE"] = [Do.HANG]
    found = await asyncio.to_thread(survey, server.url, timeout_s=1)
    assert names(found) == ["read_x"]
    assert server.received[-1].verb == "DELETE"


async def test_an_older_revision_is_offered_to_a_server_that_refuses_the_newest(server: Legacy) -> None:
    def initialized(got: Received) -> Script:
        if got.json["params"]["protocolVersion"] > "2025-06-18":
            return error(got, -32602, "Unsupported protocol version", status="400 Bad Request")
        return server.usual(got, "initialize")

    server.replies["initialize"] = initialized
    assert names(await surveyed(server.url)) == ["read_x"]
    assert len(server.got("initialize")) == 2


FAILING: Final[dict[str, Reply | Script]] = {
    "-32601": lambda got: error(got, -32601, "Method not found"),
    "-32603": lambda got: error(got, -32603, "boom \x1b[31m"),
    "400": whole(b"", status="400 Bad Request"),
    "403": whole(b"", status="403 Forbidden"),
    "500": whole(b"<html>", status="500 Oops", media="text/html"),
    "no list": lambda got: result(got, {"items": []}),
    "no end": lambda got: result(got, {"prompts": [], "nextCursor": "same"}),
    "a closed connection": [Do.CLOSE],
}


@pytest.mark.parametrize("failing", FAILING)
async def test_a_list_that_is_announced_and_fails_is_reported_and_the_others_imported(
    server: Legacy, failing: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.yaml"
    options = ("--server", "x", "--owner", "a@example.com", "-o", path)
    server.capabilities = {"tools": {}, "prompts": {}}
    first = await imported("import", server.url, *options)
    assert first.exit_code == 0, first.output
    assert "not read" not in first.output
    server.replies["prompts/list"] = FAILING[failing]
    again = await imported("import", server.url, *options)
    assert again.exit_code == 0, again.output
    assert "not read: prompts/list: " in again.output
    assert "\x1b" not in again.output
    assert "p:" in path.read_text(encoding="utf-8"), "what could not be read is not removed"
    compared = await imported("diff", path)
    assert compared.exit_code == 1
    assert "not read: prompts/list: " in compared.output
    assert "removed" not in compared.output
    assert "1 unchanged" in compared.output


async def test_a_server_of_which_every_list_fails_is_not_imported(server: Legacy) -> None:
    server.replies["tools/list"] = whole(b"", status="500 Oops")
    assert "announces tools/list but does not answer it: HTTP 500" in await refused(server.url)


async def test_a_server_that_announces_nothing_is_asked_for_every_list(server: Legacy) -> None:
    server.capabilities = {}
    found = await surveyed(server.url)
    assert names(found) == ["read_x"]
    assert names(found, "prompts/list") == ["p"]
    assert found.lists["resources/list"] == []
    assert not found.failed


async def test_a_tool_that_is_only_for_clients_with_a_capability_is_listed(server: Legacy) -> None:
    def listed(got: Received) -> Script:
        declared = server.got("initialize")[-1].json["params"]["capabilities"]
        return result(got, {"tools": [tool(name) for name in sorted(declared)]})

    server.replies["tools/list"] = listed
    assert names(await surveyed(server.url)) == ["elicitation", "roots", "sampling", "tasks"]
    newest = server.got("server/discover")[0].json["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
    assert sorted(newest) == ["elicitation", "roots", "sampling"]


async def test_what_a_server_asks_before_it_lists_is_passed_over(server: Legacy) -> None:
    def listed(got: Received) -> Script:
        asked = {"jsonrpc": "2.0", "id": got.json["id"], "method": "roots/list"}
        found = {"jsonrpc": "2.0", "id": got.json["id"], "result": {"tools": [tool("read_x")]}}
        return events(*(f"data: {json.dumps(one)}\n\n".encode() for one in (asked, found)))

    server.replies["tools/list"] = listed
    assert names(await surveyed(server.url)) == ["read_x"]


async def test_a_list_is_read_to_its_last_page(server: Legacy) -> None:
    def page(got: Received) -> Script:
        number = int(got.json["params"].get("cursor", "0"))
        more = {"nextCursor": str(number + 1)} if number < 149 else {}
        return result(got, {"tools": [tool(f"t{number}")], **more})

    server.replies["tools/list"] = page
    assert names(await surveyed(server.url)) == [f"t{number}" for number in range(150)]


async def test_a_list_whose_pages_go_in_a_circle_is_not_a_list(server: Legacy) -> None:
    def page(got: Received) -> Script:
        after = {"a": "b", "b": "c", "c": "a"}[got.json["params"].get("cursor", "a")]
        return result(got, {"tools": [], "nextCursor": after})

    server.replies["tools/list"] = page
    assert "does not finish the list" in await refused(server.url)
    assert len(server.got("tools/list")) < 6


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (redirect("/mcp/"), "use {url}/ as the URL"),
        (redirect("/other", status="308 Permanent Redirect"), "use {origin}/other as the URL"),
        (redirect("{url}/"), "use {url}/ as the URL"),
        (redirect("https://elsewhere.example/mcp"), "It has another origin"),
        (redirect("http://[::1"), "Invalid URL in location header"),
        (whole(b"", status="401 Unauthorized"), "--credential-file FILE"),
        (whole(b"", status="403 Forbidden"), "--header-file FILE"),
        (whole(b"", status="401 No", headers="WWW-Authenticate: Bearer x\r\n"), "save the access token"),
        (whole(b"", status="401 No", headers="WWW-Authenticate: Basic x\r\n"), "Authorization: Basic"),
    ],
)
async def test_a_server_that_wants_something_else_is_named_with_what_to_do(script: Script, words: str) -> None:
    async with scripted() as server:
        origin = server.url.removesuffix("/mcp")
        server.script = [
            step.replace(b"{url}", server.url.encode()) if isinstance(step, bytes) else step for step in script
        ]
        assert words.format(url=server.url, origin=origin) in await refused(server.url)


async def test_a_server_of_a_private_authority_is_imported_with_its_certificate(tmp_path: Path) -> None:
    certificate = pair(tmp_path)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate)
    server = Legacy()
    options = ("--server", "x", "--owner", "a@example.com", "-o", tmp_path / "x.yaml")
    async with serving(server, tls=own):
        assert "--ca-file" in await refused(server.url)
        assert server.received == []
        empty = tmp_path / "empty.pem"
        empty.write_text("", encoding="utf-8")
        assert "a certificate authority" in (await imported("import", server.url, *options, "--ca-file", empty)).output
        got = await imported("import", server.url, *options, "--ca-file", certificate)
        assert got.exit_code == 0, got.output
        assert (await imported("diff", tmp_path / "x.yaml", "--ca-file", certificate)).exit_code == 0
