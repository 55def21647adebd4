"""What the recording server offers: notes, and the ways in which a server talks back.

Tools: `read_note` and `list_notes` (read-only), `write_note` and `delete_note` (destructive), `send_note` (open world),
`echo` (returns its arguments), `count` (reports progress), `ask` (elicits), `sample` (asks the client model), `wait`
(until it is cancelled), `announce` (tells clients that the list of tools changed). Resources: `note://welcome`, and the
template `note://by-name/{name}`. Prompt: `greet`.
"""

import asyncio
import json
from typing import Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent, ToolAnnotations
from pydantic import BaseModel

READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES: Final = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)
SENDS: Final = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)


class _Answer(BaseModel):
    """What `ask` wants to know."""

    name: str


def server() -> MCPServer:
    """The server with everything that it offers."""
    made = MCPServer("recording", title="Recording", instructions="For tests.", log_level="ERROR")
    notes = {"welcome": "Hello"}
    _offer_notes(made, notes)
    _offer_conversations(made)

    @made.resource("note://welcome", mime_type="text/plain")
    def welcome() -> str:
        """The first note."""
        return notes.get("welcome", "")

    @made.resource("note://by-name/{name}", mime_type="text/plain")
    def by_name(name: str) -> str:
        """A note by its name."""
        return notes.get(name, "")

    @made.prompt()
    def greet(name: str) -> str:
        """Greet somebody."""
        return f"Greet {name}."

    del welcome, by_name, greet
    return made


def _offer_notes(made: MCPServer, notes: dict[str, str]) -> None:
    @made.tool(annotations=READS)
    def read_note(name: str) -> str:
        """Read a note."""
        return notes.get(name, "")

    @made.tool(annotations=READS)
    def list_notes() -> list[str]:
        """List the notes."""
        return sorted(notes)

    @made.tool(annotations=WRITES)
    def write_note(name: str, text: str) -> str:
        """Write a note."""
        notes[name] = text
        return "written"

    @made.tool(annotations=WRITES)
    def delete_note(name: str) -> str:
        """Delete a note."""
        notes.pop(name, None)
        return "deleted"

    @made.tool(annotations=SENDS)
    def send_note(name: str, to: str) -> str:
        """Send a note to somebody."""
        return f"sent {name} to {to}"

    @made.tool()
    def echo(text: str = "", options: dict[str, Any] | None = None) -> str:
        """Return the arguments."""
        return json.dumps({"text": text, "options": options})

    del read_note, list_notes, write_note, delete_note, send_note, echo


def _offer_conversations(made: MCPServer) -> None:
    @made.tool()
    async def count(to: int, ctx: Context) -> str:
        """Count, and report progress."""
        for number in range(to):
            await ctx.report_progress(number + 1, to)
        return str(to)

    @made.tool()
    async def ask(ctx: Context) -> str:
        """Ask the user for a name."""
        answer = await ctx.elicit("What is your name?", _Answer)
        return answer.model_dump_json()

    @made.tool()
    async def sample(ctx: Context) -> str:
        """Ask the client's model for a word."""
        prompt = SamplingMessage(role="user", content=TextContent(type="text", text="Say a word."))
        answer = await ctx.session.create_message([prompt], max_tokens=10)  # pyright: ignore[reportDeprecated] - still served
        return answer.model_dump_json()

    @made.tool()
    async def wait() -> str:
        """Wait until somebody cancels."""
        await asyncio.Event().wait()
        return "never"

    @made.tool()
    async def announce(ctx: Context) -> str:
        """Tell clients that the list of tools changed."""
        await ctx.session.send_tool_list_changed()
        return "told"

    del count, ask, sample, wait, announce
