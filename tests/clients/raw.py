"""A client of the old era without an SDK, for what SDKs do by themselves: streams, event ids, connections.

    session = await initialized(url)
    async with opened("GET", session.url, {**session.headers, "accept": "text/event-stream"}) as answer:
        await first(events(answer), "notifications/tools/list_changed")

Rule 1: every request has a connection of its own, so any worker may get it.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
from msgspec import Struct

LEGACY: Final = "2025-11-25"
BOTH: Final = "application/json, text/event-stream"
PATIENCE_S: Final = 60


class Event(Struct, frozen=True):
    """One server-sent event."""

    id: str
    message: dict[str, Any]

    @property
    def method(self) -> str:
        return str(self.message.get("method", ""))


class Session:
    """A client that has initialized."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url: Final = url
        self.headers: Final = headers
        self._ids: Final = itertools.count(2)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        meta = {"progressToken": "p"}
        return self.asking("tools/call", {"name": tool, "arguments": arguments, "_meta": meta})

    def asking(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    async def said(self, message: dict[str, Any]) -> list[Event]:
        """Every event of the answer to a message, to its end."""
        async with opened("POST", self.url, self.headers, message) as stream:
            return [event async for event in events(stream)]


async def initialized(url: str, bearer: Mapping[str, str] | None = None) -> Session:
    """A session, of whom these headers name."""
    accepted = {"accept": BOTH, **(bearer or {})}
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    async with opened("POST", url, accepted, message) as answer:
        assert [event async for event in events(answer) if event.message]
        named = {**accepted, "mcp-protocol-version": LEGACY, "mcp-session-id": answer.headers["mcp-session-id"]}
    async with opened("POST", url, named, {"jsonrpc": "2.0", "method": "notifications/initialized"}) as told:
        assert told.status_code == 202
    return Session(url, named)


@asynccontextmanager
async def opened(
    verb: str, url: str, headers: dict[str, str], message: dict[str, Any] | None = None
) -> AsyncGenerator[httpx.Response]:
    """An answer whose head has arrived, on a connection of its own."""
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as client,
        client.stream(verb, url, headers=headers, json=message) as answer,
    ):
        yield answer


async def events(answer: httpx.Response) -> AsyncGenerator[Event]:
    """The events of an answer as they come."""
    kept = b""
    async for chunk in answer.aiter_raw():
        *whole, kept = (kept + chunk).replace(b"\r\n", b"\n").split(b"\n\n")
        for text in whole:
            fields = dict(line.split(": ", 1) for line in text.decode().splitlines() if ": " in line and line[0] != ":")
            if fields:
                yield Event(fields.get("id", ""), json.loads(fields.get("data") or "{}"))


async def first(stream: AsyncGenerator[Event], method: str) -> Event:
    """The next event with this method; an empty one is a response."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in stream:
            if event.message and event.method == method:
                return event
    raise AssertionError(f"the stream ended without {method or 'a response'}")
