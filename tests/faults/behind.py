"""A gateway with a server behind it that tells messages apart, and what the journal has of both.

Rule 1: the server lists its tools whoever asks; `effects` is everything else that reached it.
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tests.faults.wire import Line
from tests.running import Gateway, catalog, running, until
from tests.servers.scripted import Received, Script, Scripted, answer, serving, whole

TOOLS: Final = ("echo", "delete")
SCHEMA: Final = {"type": "object", "properties": {"text": {"type": "string"}, "x": {}}}
LISTS: Final = frozenset({"tools/list", "prompts/list", "resources/list", "resources/templates/list"})


def entry(url: str, **more: Any) -> dict[str, Any]:
    """Return the catalog's entry of the server `s`."""
    return catalog("s", url, **{"tools": {tool: {"action": "read"} for tool in TOOLS}, **more})


class Counterpart(Scripted):
    """A scripted server that offers two tools; how it answers anything but a list is `reply`."""

    def __init__(self) -> None:
        """Begin with an empty result for everything."""
        super().__init__(answer({}))
        self.reply: Callable[[Received], Script] = empty
        self.stop: Callable[[], None] = self.hang_up

    @property
    def effects(self) -> list[Received]:
        """Everything that reached it beside lists."""
        return [received for received in self.received if _method(received) not in LISTS]

    def begin(self) -> None:
        """Forget what reached it, and answer with empty results again."""
        self.received.clear()
        self.reply = empty
        self.gone.clear()
        self.cut.clear()

    def script_for(self, received: Received) -> Script:
        """Return how a request is answered."""
        method = _method(received)
        if method not in LISTS:
            return self.reply(received)
        tools = [{"name": name, "description": name, "inputSchema": SCHEMA} for name in TOOLS]
        listed = "resourceTemplates" if method == "resources/templates/list" else method.partition("/")[0]
        items: dict[str, Any] = {listed: tools if method == "tools/list" else []}
        return answered(received, {**items, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})


def _method(received: Received) -> str:
    try:
        message = received.json
    except ValueError:
        return ""
    return str(message.get("method", "")) if isinstance(message, dict) else ""  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]


def answered(received: Received, result: Mapping[str, Any]) -> Script:
    """Return the script that answers a request with a result, and any other message with 202."""
    message: dict[str, Any] = received.json if received.body else {}
    if "id" not in message or "method" not in message:
        return whole(b"", status="202 Accepted")
    return answer(dict(result), id=message["id"])


def empty(received: Received) -> Script:
    """Return the script of an empty tool result."""
    return answered(received, {"content": [], "resultType": "complete"})


@asynccontextmanager
async def counterpart() -> AsyncGenerator[Counterpart]:
    """Run a server until the end of the block."""
    made = Counterpart()
    async with serving(made) as listening:

        def stop() -> None:
            listening.close()
            made.hang_up()

        made.stop = stop
        yield made


class Behind(Struct):
    """A gateway, the server behind it, and a line to it."""

    gateway: Gateway
    server: Counterpart
    line: Line

    def worker(self, number: int = -1) -> int:
        """Return the process id of a worker, by default that of the last one started."""
        return self.pids("worker_started")[number]

    def pids(self, event: str) -> list[int]:
        """Return the process ids in events of the log, in their order."""
        lines = self.gateway.log.read_text(encoding="utf-8").splitlines()
        return [int(json.loads(line)["fields"]["pid"]) for line in lines if f'"message":"{event}"' in line]

    def known(self) -> set[str]:
        """Return the calls of which the journal has a first record."""
        return {record["call_id"] for record in self._first()}

    async def one_more_than(self, before: set[str]) -> dict[str, Any]:
        """Wait until the journal has a first record of one more call than before, and return it."""

        async def found() -> list[dict[str, Any]] | None:
            return [record for record in self._first() if record["call_id"] not in before] or None

        records = await until(found, lambda: "nothing was recorded")
        assert len(records) == 1
        return dict(records[0])

    def _first(self) -> list[dict[str, Any]]:
        return [*self.gateway.records("decided"), *self.gateway.records("refused")]

    def completed(self, call_id: str) -> list[dict[str, Any]]:
        """Return the second records of a call."""
        return [record for record in self.gateway.records("completed") if record["call_id"] == call_id]

    async def ended(self, before: set[str]) -> dict[str, Any]:
        """Wait for the second record of the one call that is new since `before`, and return it."""
        first = await self.one_more_than(before)

        async def found() -> dict[str, Any] | None:
            return next(iter(self.completed(first["call_id"])), None)

        return dict(await until(found, lambda: "the call has no second record"))


@asynccontextmanager
async def standing(directory: Path, **more: Any) -> AsyncGenerator[Behind]:
    """Run a gateway before a server of its own.

    `files`, `settings` and `ready` are the gateway's; all else is of the server's entry in the catalog.
    """
    own = {name: more.pop(name) for name in ("files", "settings", "ready") if name in more}
    async with (
        counterpart() as server,
        running(directory, servers={"s": entry(server.url, **more)}, **own) as gateway,
    ):
        yield Behind(gateway, server, Line(gateway.url("s")))
