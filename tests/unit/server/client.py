"""An in-process HTTP client for ASGI applications, with whole requests and whole answers."""

import asyncio
from typing import Any, Final

import orjson
from msgspec import Struct
from starlette.types import Message

from gateway.admission.principal import Principal
from gateway.pipeline.sealed_ids import sealed_task_id
from gateway.protocol.strict_json import JsonLimits
from gateway.server import EndpointLimits, McpEndpoint, StreamLimits, Streams
from gateway.server.exchange_limits import CallerLimits
from gateway.server.relay import RelayLimits
from tests.fakes import CALLER, FakeMeters, World

JSON: Final = (("content-type", "application/json"), ("accept", "application/json, text/event-stream"))
MODERN: Final = "2026-07-28"


def task_text(world: World, upstream_id: str, principal: Principal = CALLER, server: str = "s") -> str:
    """Return the id under which a principal knows a task of the server."""
    return sealed_task_id(world.ring, upstream_id, server=server, principal_key=principal.key)


class Got(Struct):
    """The answer. `finished` is false if it was cut off."""

    status: int = 0
    headers: dict[str, str] = {}
    body: bytes = b""
    pieces: int = 0
    last_piece: bytes = b""
    finished: bool = False

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of the server-sent events that have any."""
        lines = [line[6:] for line in self.body.split(b"\n") if line.startswith(b"data: ")]
        return [orjson.loads(line) for line in lines if line]


class Browser:
    """Sends requests to the endpoint over a world of fakes."""

    def __init__(
        self,
        world: World,
        *,
        streams: int = 16,
        head_s: float = 5,
        exchanges: int = 100,
        held: int = 1_000_000,
        relayed: int = 200_000,
    ) -> None:
        self.world = world
        self.got = Got(headers={})
        """The data received so far for the last request."""
        allowed = StreamLimits(per_principal=streams, total=100)
        self.streams = Streams(allowed, world.pipeline.engine.parts.turns.caller_of)
        limits = EndpointLimits(
            body_bytes=100_000,
            message=JsonLimits(size=100_000),
            relay=RelayLimits(result_bytes=10_000, keep_alive_s=5, head_s=head_s, events=relayed),
            caller=CallerLimits(requests=exchanges, body_bytes=held),
        )
        self.meters = FakeMeters()
        self.endpoint = McpEndpoint(world.pipeline, world.callers, self.meters, self.streams, limits)

    async def send(
        self,
        body: bytes | dict[str, Any] = b"",
        *headers: tuple[str, str],
        verb: str = "POST",
        path: str = "/servers/s/mcp",
        events: list[Message] | None = None,
        source_ip: str = "127.0.0.1",
    ) -> Got:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        scope = {
            "type": "http",
            "method": verb,
            "path": path,
            "query_string": b"",
            "client": (source_ip, 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
        self.got = got = Got(headers={})
        incoming: list[Message] = events or [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> Message:
            if incoming:
                return incoming.pop(0)
            return await asyncio.get_running_loop().create_future()

        async def take(event: Message) -> None:
            if event["type"] == "http.response.start":
                got.status = event["status"]
                got.headers = {name.decode(): value.decode() for name, value in event["headers"]}
            else:
                got.body += event["body"]
                got.pieces, got.last_piece = got.pieces + 1, event["body"]
                got.finished = not event["more_body"]

        await self.endpoint(scope, receive, take)
        return got

    async def legacy(self, method: str, params: dict[str, Any] | None = None, *headers: tuple[str, str]) -> Got:
        """Send a request of revision 2025-11-25."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return await self.send(message, *JSON, ("mcp-protocol-version", "2025-11-25"), *headers)

    async def modern(self, method: str, params: dict[str, Any] | None = None, name: str = "") -> Got:
        """Send a request of revision 2026-07-28."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**(params or {}), "_meta": meta}}
        named = (("mcp-name", name),) if name else ()
        return await self.send(message, *JSON, ("mcp-protocol-version", MODERN), ("mcp-method", method), *named)
