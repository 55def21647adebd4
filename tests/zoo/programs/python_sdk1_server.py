# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportInvalidTypeForm=false
# The imports are of the environment of an entry, which has another release of the SDK.
"""Serve the reference tools, resources and prompts with the official Python SDK 1.x.

    python python_sdk1_server.py PORT [--stateless] [--json]

Rule 1: nothing of the SDK is configured except the session and the form of the answers.
Rule 2: a question that the SDK cannot deliver ends after `DELIVERY_S`; without that limit the call never ends.
Rule 3: with a session, `count` pings the client before its result. Early releases send progress on the standing stream,
and only an answer on that stream proves that the client has read it.
"""

import argparse
import asyncio
import base64
import json
from collections.abc import Awaitable
from typing import Any, Final

import uvicorn
from mcp.server.fastmcp import Context, FastMCP, Image
from mcp.server.session import ServerSession
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
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

DELIVERY_S: Final = 1
DOT: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PEOPLE: Final = ("Ada", "Alan", "Grace")
DAYS: Final = ("today", "tomorrow")

Talk = Context[ServerSession, None]


class Person(BaseModel):
    """The form that `ask` shows."""

    name: str


class Memory:
    """What the tools did since the program started."""

    def __init__(self) -> None:
        self.deleted: Final[list[str]] = []
        self.canceled = 0


def add_tools(server: FastMCP, memory: Memory) -> None:
    """Add the tools that need nothing of the client."""

    @server.tool()
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    @server.tool(annotations=ToolAnnotations(destructiveHint=True))
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
        note = TextResourceContents(uri="note://today", mimeType="text/plain", text="Buy milk.")
        return [
            TextContent(type="text", text="several kinds"),
            Image(data=DOT, format="png").to_image_content(),
            EmbeddedResource(type="resource", resource=note),
            ResourceLink(type="resource_link", uri="note://today", name="today"),
        ]

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ValueError("it broke")

    @server.tool()
    def echo_object(value: dict[str, Any]) -> str:
        """Return an object as JSON."""
        return json.dumps(value, sort_keys=True)


def add_waits(server: FastMCP, memory: Memory, *, stateless: bool) -> None:
    """Add the tools that report progress and can be canceled."""

    @server.tool()
    async def count(to: int, ctx: Talk) -> str:
        """Count and report progress."""
        for number in range(1, to + 1):
            await ctx.report_progress(number, to)
        if not stateless:
            await ctx.session.send_ping()
        return "counted"

    @server.tool()
    async def wait(seconds: int, ctx: Talk) -> str:
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


def add_questions(server: FastMCP, sampling_s: float | None, elicitation_s: float | None) -> None:
    """Add the tools that ask the client, each with the time that the answer may take."""

    @server.tool()
    async def sample(ctx: Talk) -> str:
        """Ask the model of the client for a word."""
        content = TextContent(type="text", text="Say a word.")
        messages = [SamplingMessage(role="user", content=content)]
        answer = await answered(ctx.session.create_message(messages, max_tokens=10), sampling_s)
        return f"sampled: {answer.content.text}" if answer else "the client did not answer"

    @server.tool()
    async def ask(ctx: Talk) -> str:
        """Ask the user for a name."""
        answer = await answered(ctx.elicit("Who are you?", Person), elicitation_s)
        if answer is None:
            return "the client did not answer"
        return f"asked: {answer.data.name}" if answer.action == "accept" else f"asked: {answer.action}"


async def answered(question: Awaitable[Any], limit_s: float | None) -> Any:
    """Return the answer to a question; null after the limit."""
    try:
        return await asyncio.wait_for(question, limit_s)
    except TimeoutError:
        return None


def add_readings(server: FastMCP) -> None:
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
    server = FastMCP("zoo", "Use add for sums.", stateless_http=given.stateless, json_response=given.json)
    memory = Memory()
    add_tools(server, memory)
    add_waits(server, memory, stateless=given.stateless)
    # Without a session no answer finds its question. A JSON answer has no place for one, but the standing stream has.
    sampling_s = DELIVERY_S if given.stateless else None
    elicitation_s = DELIVERY_S if given.stateless or given.json else None
    add_questions(server, sampling_s, elicitation_s)
    add_readings(server)
    # The SDK's own `run` waits for calls that are still open, for as long as they take.
    uvicorn.run(server.streamable_http_app(), port=given.port, timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
