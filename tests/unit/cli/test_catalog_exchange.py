"""`catalog import` reads one message of a server's answer, and keeps a usable session id."""

import httpx
import orjson
import pytest

from gateway.cli.catalog.http_exchange import exchange

URL = "http://server.test/mcp"


@pytest.mark.parametrize(("given", "kept"), [(b"s-1", "s-1"), (b"\xff", ""), (b"a\tb", ""), (b"", "")])
def test_a_session_that_cannot_be_sent_back_is_not_kept(given: bytes, kept: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {}})
        headers = [(b"content-type", b"application/json"), (b"mcp-session-id", given)]
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        reply = exchange(client, URL, {"jsonrpc": "2.0", "id": 1, "method": "initialize"}, {})
        assert reply.session == kept
        client.build_request("POST", URL, headers={"mcp-session-id": reply.session})
