# pyright: basic
"""Serve the reference tools, resources and prompts with the official Python SDK 2.x, in all revisions that it speaks.

    python python_sdk2_server.py PORT [--stateless] [--json]

Rule 1: nothing of the SDK is configured except the session and the form of the answers.
Rule 2: a question to the client is a resolver; the SDK turns it into a request or into another round of the call.
"""

import argparse
import asyncio
import base64
import json
from typing import Annotated, Any, Final

import uvicorn
from mcp.server.mcpserver import Context, Elicit, ElicitationResult, Image, MCPServer, Resolve, Sample
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    CreateMessageResult,
    EmbeddedResource,
    PromptReference,
    ResourceLink,
    ResourceTemplateReference,
    SamplingMessage,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)
from pydantic import BaseModel

DOT: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PEOPLE: Final = ("Ada", "Alan", "Grace")
DAYS: Final = ("today", "tomorrow")


class Person(BaseModel):
    """The form that `ask` shows."""

    name: str


class Memory:
    """What the tools did since the program started."""

    def __init__(self) -> None:
        self.deleted: Final[list[str]] = []
        self.canceled = 0


def add_tools(server: MCPServer, memory: Memory) -> None:
    """Add the tools that need nothing of the client."""

    @server.tool()
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    @server.tool(annotations=ToolAnnotations(destructive_hint=True))
    def delete_note(id: str) -> str:  # noqa: A002 - the name of the argument on the wire
        """Delete a note."""
        memory.deleted.append(id)
        return f"deleted {id}"

    @server.tool()
    def deleted_notes() -> str:
        """List the deleted notes."""
        return " ".join(memory.deleted) or "none"

    @server.tool()
    def kinds() -> list[Any]:
        """Return content of several kinds."""
        note = TextResourceContents(uri="note://today", mime_type="text/plain", text="Buy milk.")
        return [
            TextContent(text="several kinds"),
            Image(data=DOT, format="png").to_image_content(),
            EmbeddedResource(resource=note),
            ResourceLink(uri="note://today", name="today"),
        ]

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ToolError("it broke")

    @server.tool()
    def echo_object(value: dict[str, Any]) -> str:
        """Return an object as JSON."""
        return json.dumps(value, sort_keys=True)


def add_waits(server: MCPServer, memory: Memory) -> None:
    """Add the tools that report progress and can be canceled."""

    @server.tool()
    async def count(to: int, ctx: Context) -> str:
        """Count and report progress."""
        for number in range(1, to + 1):
            await ctx.report_progress(number, to)
        return "counted"

    @server.tool()
    async def wait(seconds: int, ctx: Context) -> str:
        """Wait until the time is over or the call is canceled."""
        await ctx.report_progress(0)
        try:
            await asyncio.sleep(seconds)  # noqa: TID251 - the call takes as long as the caller says
        except asyncio.CancelledError:
            memory.canceled += 1
            raise
        return "waited"

    @server.tool()
    def canceled_waits() -> str:
        """Return how many waits were canceled."""
        return str(memory.canceled)


def word() -> Sample:
    """Ask the model of the client for a word."""
    return Sample([SamplingMessage(role="user", content=TextContent(text="Say a word."))], max_tokens=10)


def person() -> Elicit[Person]:
    """Ask the user for a name."""
    return Elicit("Who are you?", Person)


def add_questions(server: MCPServer) -> None:
    """Add the tools that ask the client."""

    @server.tool()
    def sample(answer: Annotated[CreateMessageResult, Resolve(word)]) -> str:
        """Ask the model of the client for a word."""
        return f"sampled: {answer.content.text}" if isinstance(answer.content, TextContent) else "no text"

    @server.tool()
    def ask(answer: Annotated[ElicitationResult[Person], Resolve(person)]) -> str:
        """Ask the user for a name."""
        return f"asked: {answer.data.name}" if answer.action == "accept" else f"asked: {answer.action}"


def add_readings(server: MCPServer) -> None:
    """Add the resources, the prompt and the completions."""

    @server.resource("note://today", name="today", mime_type="text/plain")
    def today() -> str:
        """Read the note of today."""
        return "Buy milk."

    @server.resource("image://dot", name="dot", mime_type="image/png")
    def dot() -> bytes:
        """Read an image of one pixel."""
        return DOT

    @server.resource("note://{id}", name="note", mime_type="text/plain")
    def note(id: str) -> str:  # noqa: A002 - the name of the variable on the wire
        """Read a note."""
        return f"note {id}"

    @server.prompt()
    def greet(name: str) -> str:
        """Greet a person."""
        return f"Hello, {name}!"

    @server.completion()
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        values = PEOPLE if isinstance(ref, PromptReference) else DAYS
        return Completion(values=[value for value in values if value.startswith(argument.value)])


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    server = MCPServer("zoo", instructions="Use add for sums.", version="1.0.0")
    memory = Memory()
    add_tools(server, memory)
    add_waits(server, memory)
    add_questions(server)
    add_readings(server)
    app = server.streamable_http_app(stateless_http=given.stateless, json_response=given.json)
    # The SDK's own `run` waits for calls that are still open, for as long as they take.
    uvicorn.run(app, port=given.port, timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
