# pyright: basic
# The imports are of the entry's own environment.
"""A server that answers as servers do that differ a little from the specifications, each tool in another way.

    python server.py PORT

It speaks revision 2025-06-18 with sessions. Notifications are answered with `200 null`, `GET` with HTML, lists with
`charset=utf8` and `"error": null` beside the result.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

OPEN_S: Final = 3
SESSION: Final = {"mcp-session-id": "odd"}
ANY: Final = {"type": "object"}
SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "lookahead": {**ANY, "properties": {"word": {"type": "string", "pattern": "^(?!admin).*$"}}},
    "unknown_type": {**ANY, "properties": {"word": {"type": "any"}}},
    "boolean_required": {**ANY, "properties": {"word": {"type": "string", "required": True}}},
    "dangling": {**ANY, "properties": {"word": {"$ref": "#/definitions/nowhere"}}},
    "openapi": {**ANY, "properties": {"n": {"type": "number", "minimum": 1, "exclusiveMinimum": True}}},
    "time": {**ANY, "properties": {"at": {"type": "string", "format": "time"}}},
    "huge": {**ANY, "properties": {"n": {"type": "integer", "maximum": 2**128 - 1}}},
}
TOOLS: Final = (
    *("plain", "text_id", "float_id", "array", "error_null", "charset", "heartbeat", "comments", "open_stream"),
    *("notification_first", "status_403", "status_500", "forbidden", *SCHEMAS),
)
URIS: Final = ("greeting://World", "jira://PROJ", "s3://My-Bucket/k", "docs://page#section", "note://caf%c3%a9")


def _result(message: dict[str, Any]) -> dict[str, Any]:
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        info = {"name": "odd", "version": "1.0.0"}
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}, "resources": {}},
            "serverInfo": info,
        }
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": SCHEMAS.get(name, ANY)} for name in TOOLS]}
    if method == "resources/list":
        return {"resources": [{"uri": uri, "name": uri} for uri in URIS]}
    if method == "resources/templates/list":
        return {"resourceTemplates": []}
    if method == "resources/read":
        return {"contents": [{"uri": params["uri"], "text": params["uri"], "mimeType": "text/plain"}]}
    return {"content": [{"type": "text", "text": params.get("name", "")}]}


def _json(body: Any, *, media: str = "application/json", status: int = 200) -> Response:
    return Response(json.dumps(body), status, SESSION, media)


def _events(*texts: str, after_s: float = 0) -> Response:
    async def sent() -> AsyncIterator[str]:
        for text in texts:
            yield text
        await asyncio.sleep(after_s)  # noqa: TID251 - how long the stream stays open is what this is about

    return StreamingResponse(sent(), 200, SESSION, "text/event-stream")


def _event(message: Any) -> str:
    return f"event: message\ndata: {json.dumps(message)}\n\n"


def _called(message: dict[str, Any]) -> Response:
    number, name = message["id"], message["params"]["name"]
    plain = {"jsonrpc": "2.0", "id": number, "result": _result(message)}
    error = {"jsonrpc": "2.0", "id": number, "error": {"code": -32000, "message": "over quota"}}
    news = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "soon"}}
    answers = {
        "text_id": lambda: _json({**plain, "id": str(number)}),
        "float_id": lambda: _json({**plain, "id": float(number)}),
        "array": lambda: _json([plain]),
        "error_null": lambda: _json({**plain, "error": None}),
        "charset": lambda: _json(plain, media="Application/JSON; charset=utf8"),
        "heartbeat": lambda: _events('data: {"type":"heartbeat"}\n\n', "data: ping\n\n", _event(plain)),
        "comments": lambda: _events(": ping\n\n", "retry: 100\n\n", "id: 1\ndata:\n\n", _event(plain)),
        "open_stream": lambda: _events(_event(plain), after_s=OPEN_S),
        "notification_first": lambda: _events(_event(news), _event(plain)),
        "status_403": lambda: _json(error, status=403),
        "status_500": lambda: _json(error, status=500),
    }
    return answers.get(name, lambda: _json(plain))()


async def answer(request: Request) -> Response:
    """Answer one message."""
    if request.method == "GET":
        return HTMLResponse("<html><body>An MCP server.</body></html>")
    if request.method == "DELETE":
        return Response(status_code=204)
    message = await request.json()
    if "id" not in message:
        return _json(None)
    if message["method"] in {"server/discover", "ping"}:
        error = {"code": -32601, "message": "Method not found"}
        return _json({"jsonrpc": "2.0", "id": message["id"], "error": error}, status=400)
    if message["method"] == "tools/call":
        return _called(message)
    return _json(
        {"jsonrpc": "2.0", "id": message["id"], "result": _result(message), "error": None},
        media="application/json; charset=utf8",
    )


if __name__ == "__main__":
    app = Starlette(routes=[Route("/mcp", answer, methods=["GET", "POST", "DELETE"])])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", timeout_graceful_shutdown=1)
