"""A minimal real upstream: an MCP server of revision 2026-07-28 and 2025-11-25 that costs as little as possible.

`python -m tests.bench.upstream` prints its URL and serves until its standard input closes. The tool `echo` answers with
`bytes` characters; `/tools/<n>/mcp` lists n tools; it keeps no state.
"""

import asyncio
import os
import socket
import sys
from typing import Any, Final

import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

_CHUNK: Final = 64 * 1024
_SCHEMA: Final = {"type": "object", "properties": {"text": {"type": "string"}, "bytes": {"type": "integer"}}}


def tools(count: int) -> list[dict[str, Any]]:
    """Return the tools that a server with `count` of them lists."""
    named = [{"name": "echo", "description": "Echo.", "inputSchema": _SCHEMA}]
    more = ({"name": f"tool_{n}", "description": f"Tool {n}.", "inputSchema": _SCHEMA} for n in range(1, count))
    return [*named, *more]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    if scope["method"] != "POST":
        await _head(send, 405, 0)
        await send({"type": "http.response.body", "body": b""})
        return
    message = orjson.loads(await _body(receive))
    if "id" not in message:
        await _head(send, 202, 0)
        await send({"type": "http.response.body", "body": b""})
        return
    size = message.get("params", {}).get("arguments", {}).get("bytes", 0)
    if size > _CHUNK:
        await _large(send, message["id"], size)
        return
    body = orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": _result(scope["path"], message)})
    await _head(send, 200, len(body))
    await send({"type": "http.response.body", "body": body})


def _result(path: str, message: dict[str, Any]) -> dict[str, Any]:
    modern = {"resultType": "complete"}
    match message["method"]:
        case "initialize":
            info = {"name": "bench", "version": "1"}
            return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/list":
            count = int(path.split("/")[2]) if path.startswith("/tools/") else 10
            return {**modern, "tools": tools(count), "ttlMs": 1000, "cacheScope": "private"}
        case "tools/call":
            size = message["params"].get("arguments", {}).get("bytes", 0)
            return {**modern, "content": [{"type": "text", "text": "x" * size or "ok"}]}
        case _:
            return modern


async def _large(send: Send, request_id: object, size: int) -> None:
    """Answer with `size` characters in pieces, so that this process stays small."""
    head = b'{"jsonrpc":"2.0","id":' + orjson.dumps(request_id)
    head += b',"result":{"resultType":"complete","content":[{"type":"text","text":"'
    tail = b'"}]}}'
    await _head(send, 200, len(head) + size + len(tail))
    await send({"type": "http.response.body", "body": head, "more_body": True})
    for start in range(0, size, _CHUNK):
        piece = b"x" * min(_CHUNK, size - start)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": tail})


async def _head(send: Send, status: int, length: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if not event.get("more_body"):
            return body


async def serve(app: Any) -> None:
    """Serve an application on a free loopback port until standard input closes; prints the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - the port is this program's output
    configuration = uvicorn.Config(
        app, http="httptools", lifespan="off", log_config=None, access_log=False, server_header=False
    )
    server = uvicorn.Server(configuration)
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _ended, server)
    await server.serve(sockets=[listener])


def _ended(server: uvicorn.Server) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        server.should_exit = True


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(application))
