"""A real MCP server on the official SDK that talks back: progress, logs, questions, notifications, broken streams.

    with talking(tmp_path / "journal") as server:       # both eras; it keeps events, so streams can be resumed
        ... server.url ...
        assert server.happened("cancelled") == ["first"]

Rule 1: what a tool does is in the journal, on disk, before its result travels; an empty journal proves that none ran.
Rule 2: a question has one wording in both eras: a request of its own in the old one, a round trip more in the new one.
"""

import asyncio
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequest,
    InputRequiredResult,
    JSONRPCMessage,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from tests.servers.serving import serve, started

MODERN: Final = "2026-07-28"
TOOLS: Final = ("echo", "forbidden", "count", "log", "wait", "sample", "ask", "drop", "announce", "touch")
"""What it offers; `forbidden` is a tool like the others, until a policy says otherwise."""


class Talker:
    """A running talking server, as tests see it."""

    def __init__(self, url: str, journal: Path) -> None:
        self.url: Final = url
        self._journal: Final = journal

    def happened(self, what: str) -> list[Any]:
        """What was written to the journal under this name, in order."""
        lines = [json.loads(line) for line in self._journal.read_text(encoding="utf-8").splitlines()]
        return [line[what] for line in lines if what in line]


@contextmanager
def talking(journal: Path, origins: Sequence[str] = ()) -> Generator[Talker]:
    """Run the server until the end of the block; web pages of `origins` may use it."""
    journal.touch()
    with started([sys.executable, "-m", "tests.servers.talking", str(journal), *origins]) as url:
        yield Talker(url, journal)


class Journal:
    """What happened in the server, one line of JSON each."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path

    def write(self, **happened: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(happened) + "\n")


class Events(EventStore):
    """Keeps every event of every stream; an id is its place."""

    def __init__(self) -> None:
        self._kept: Final[list[tuple[str, JSONRPCMessage | None]]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._kept.append((stream_id, message))
        return f"event-{len(self._kept) - 1}"

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        place = int(last_event_id.removeprefix("event-"))
        stream = self._kept[place][0]
        for later, (owner, message) in enumerate(self._kept[place + 1 :], place + 1):
            if owner == stream and message is not None:
                await send_callback(EventMessage(message, f"event-{later}"))
        return stream


def server(journal: Journal) -> MCPServer:
    """The server with everything that it offers."""
    made = MCPServer("talking", title="Talking", log_level="ERROR")
    _offer_words(made, journal)
    _offer_waiting(made, journal)
    _offer_questions(made, journal)
    _offer_news(made)
    made.resource("note://open", name="open", mime_type="text/plain")(lambda: "for all")
    made.resource("note://closed", name="closed", mime_type="text/plain")(lambda: "for nobody")
    made.prompt("greet")(_greet)
    return made


def _greet(name: str) -> str:
    """Greet a person."""
    return f"Hello, {name}!"


def _offer_words(made: MCPServer, journal: Journal) -> None:
    @made.tool()
    def echo(text: str = "") -> str:
        """Return the text."""
        journal.write(echoed=text)
        return text

    @made.tool()
    def forbidden() -> str:
        """Do what nobody should."""
        journal.write(forbidden=True)
        return "done"

    @made.tool()
    async def count(to: int, ctx: Context) -> str:
        """Count, and report progress."""
        for number in range(to):
            await ctx.report_progress(number + 1, to)
        return str(to)

    @made.tool()
    async def log(text: str, ctx: Context) -> str:
        """Log a text to the client."""
        await ctx.info(text)  # pyright: ignore[reportDeprecated] - still served
        return "logged"

    del echo, forbidden, count, log


def _offer_waiting(made: MCPServer, journal: Journal) -> None:
    @made.tool()
    async def wait(name: str, ctx: Context) -> str:
        """Wait until somebody cancels."""
        journal.write(waiting=name)
        await ctx.report_progress(0)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            journal.write(cancelled=name)
            raise
        return "never"

    @made.tool()
    async def drop(text: str, ctx: Context) -> str:
        """Break the stream off before the result, which is there for those who come back."""
        await ctx.close_sse_stream()
        return text

    del wait, drop


class _Name(BaseModel):
    """What `ask` wants to know."""

    name: str


_PROMPT: Final = [SamplingMessage(role="user", content=TextContent(type="text", text="Say a word."))]
_QUESTION: Final = "What is your name?"


def _offer_questions(made: MCPServer, journal: Journal) -> None:
    @made.tool()
    async def sample(ctx: Context) -> str | InputRequiredResult:
        """Ask the client's model for a word."""
        if ctx.protocol_version == MODERN:
            params = CreateMessageRequestParams(messages=_PROMPT, max_tokens=10)
            return _round_trip(ctx, CreateMessageRequest(params=params))
        try:
            answer = await ctx.session.create_message(_PROMPT, max_tokens=10)  # pyright: ignore[reportDeprecated]
        except MCPError as error:
            journal.write(refused=error.error.code)
            return f"the client refused: {error.error.message}"
        return answer.model_dump_json()

    @made.tool()
    async def ask(ctx: Context) -> str | InputRequiredResult:
        """Ask the user for a name."""
        if ctx.protocol_version == MODERN:
            params = ElicitRequestFormParams(message=_QUESTION, requested_schema=_Name.model_json_schema())
            return _round_trip(ctx, ElicitRequest(params=params))
        try:
            answer = await ctx.elicit(_QUESTION, _Name)
        except MCPError as error:
            journal.write(refused=error.error.code)
            return f"the client refused: {error.error.message}"
        return answer.model_dump_json()

    del sample, ask


def _round_trip(ctx: Context, request: InputRequest) -> str | InputRequiredResult:
    answers = ctx.input_responses
    if not answers:
        return InputRequiredResult(input_requests={"question": request})
    return answers["question"].model_dump_json()


def _offer_news(made: MCPServer) -> None:
    @made.tool()
    async def announce(ctx: Context) -> str:
        """Tell clients that the list of tools changed."""
        await ctx.notify_tools_changed()
        if ctx.protocol_version != MODERN:
            await ctx.session.send_tool_list_changed()
        return "told"

    @made.tool()
    async def touch(uri: Annotated[str, "a resource"], ctx: Context) -> str:
        """Tell clients that a resource changed."""
        await ctx.notify_resource_updated(uri)
        if ctx.protocol_version != MODERN:
            await ctx.session.send_resource_updated(uri)
        return "told"

    del announce, touch


def _readable(made: MCPServer, origins: Sequence[str]) -> ASGIApp:
    """Return the application; pages of `origins` may send it requests and read its answers."""
    security = TransportSecuritySettings(allowed_hosts=["127.0.0.1:*"], allowed_origins=list(origins))
    app = made.streamable_http_app(
        event_store=Events(), retry_interval=50, transport_security=security if origins else None
    )
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("*",),
        expose_headers=("mcp-session-id",),
    )


if __name__ == "__main__":
    asyncio.run(serve(_readable(server(Journal(Path(sys.argv[1]))), sys.argv[2:])))
