# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
# The imports are of the environment of an entry, which has a release of FastMCP.
"""Serve the reference tools, resources and prompts with FastMCP 2.x, 3.x or 4.x.

    python fastmcp_server.py PORT [--stateless] [--json]

Rule 1: nothing of FastMCP is configured except the session and the form of the answers.
Rule 2: a question that FastMCP cannot deliver ends after `DELIVERY_S`; without that limit the call never ends.
Rule 3: releases differ where this program asks for their version, and nowhere else.
"""

import argparse
import asyncio
import base64
import json
from collections.abc import Awaitable
from typing import Any, Final

import fastmcp
from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.utilities.types import Image
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    EmbeddedResource,
    PromptReference,
    ResourceLink,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel

MAJOR: Final = int(fastmcp.__version__.split(".")[0])
DELIVERY_S: Final = 1
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


def add_tools(server: FastMCP, memory: Memory) -> None:
    """Add the tools that need nothing of the client."""

    @server.tool
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    @server.tool(annotations={"destructiveHint": True})
    def delete_note(id: str) -> str:  # noqa: A002 - the name of the argument on the wire
        """Delete a note."""
        memory.deleted.append(id)
        return f"deleted {id}"

    @server.tool
    def deleted_notes() -> str:
        """List the deleted notes."""
        return " ".join(memory.deleted) or "none"

    @server.tool
    def kinds() -> list[Any]:
        """Return content of several kinds."""
        note = TextResourceContents(uri="note://today", mimeType="text/plain", text="Buy milk.")
        return [
            TextContent(type="text", text="several kinds"),
            Image(data=DOT, format="png").to_image_content(),
            EmbeddedResource(type="resource", resource=note),
            ResourceLink(type="resource_link", uri="note://today", name="today"),
        ]

    @server.tool
    def fail() -> str:
        """Fail."""
        raise ToolError("it broke")

    @server.tool
    def echo_object(value: dict[str, Any]) -> str:
        """Return an object as JSON."""
        return json.dumps(value, sort_keys=True)


def add_waits(server: FastMCP, memory: Memory) -> None:
    """Add the tools that report progress and can be canceled."""

    @server.tool
    async def count(to: int, ctx: Context) -> str:
        """Count and report progress."""
        for number in range(1, to + 1):
            await ctx.report_progress(number, to)
        return "counted"

    @server.tool
    async def wait(seconds: int, ctx: Context) -> str:
        """Wait until the time is over or the call is canceled."""
        await ctx.report_progress(0)
        try:
            await asyncio.sleep(seconds)  # noqa: TID251 - the call takes as long as the caller says
        except asyncio.CancelledError:
            memory.canceled += 1
            raise
        return "waited"

    @server.tool
    def canceled_waits() -> str:
        """Return how many waits were canceled."""
        return str(memory.canceled)


def add_questions(server: FastMCP, limit_s: float | None) -> None:
    """Add the tools that ask the client, as FastMCP 2.x and 3.x do, with the time that an answer may take."""

    @server.tool
    async def sample(ctx: Context) -> str:
        """Ask the model of the client for a word."""
        answer = await answered(ctx.sample("Say a word.", max_tokens=10), limit_s)
        return f"sampled: {answer.text}" if answer else "the client did not answer"

    @server.tool
    async def ask(ctx: Context) -> str:
        """Ask the user for a name."""
        answer = await answered(ctx.elicit("Who are you?", Person), limit_s)
        return told(answer) if answer else "the client did not answer"


def add_rounds(server: FastMCP) -> None:
    """Add the tools that ask the client, as FastMCP 4.x does: by a request or, since 2026-07-28, in another round."""
    from mcp.types import ElicitRequest, ElicitRequestFormParams, InputRequiredResult  # noqa: PLC0415 - only in 4.x

    content = TextContent(type="text", text="Say a word.")
    messages = [SamplingMessage(role="user", content=content)]

    @server.tool
    async def sample(ctx: Context) -> str | InputRequiredResult:
        """Ask the model of the client for a word."""
        if not in_rounds(ctx):
            answer = await ctx.session.create_message(messages, max_tokens=10, related_request_id=ctx.request_id)
        elif ctx.input_responses is None:
            params = CreateMessageRequestParams(messages=messages, maxTokens=10)
            return InputRequiredResult(input_requests={"word": CreateMessageRequest(params=params)})
        else:
            answer = ctx.input_responses["word"]
        return f"sampled: {answer.content.text}"

    @server.tool
    async def ask(ctx: Context) -> str | InputRequiredResult:
        """Ask the user for a name."""
        if not in_rounds(ctx):
            return told(await ctx.elicit("Who are you?", Person))
        if ctx.input_responses is None:
            schema = Person.model_json_schema()
            params = ElicitRequestFormParams(message="Who are you?", requested_schema=schema)
            return InputRequiredResult(input_requests={"person": ElicitRequest(params=params)})
        answer = ctx.input_responses["person"]
        return f"asked: {answer.content['name']}" if answer.action == "accept" else f"asked: {answer.action}"


def in_rounds(ctx: Context) -> bool:
    """Return whether the revision of the request has rounds instead of requests to the client."""
    return ctx.request_context.protocol_version >= "2026-07-28"


def told(answer: Any) -> str:
    """Return what the user answered."""
    return f"asked: {answer.data.name}" if answer.action == "accept" else f"asked: {answer.action}"


async def answered(question: Awaitable[Any], limit_s: float | None) -> Any:
    """Return the answer to a question; null after the limit."""
    try:
        return await asyncio.wait_for(question, limit_s)
    except TimeoutError:
        return None


def add_readings(server: FastMCP) -> None:
    """Add the resources and the prompt."""

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

    @server.prompt
    def greet(name: str) -> str:
        """Greet a person."""
        return f"Hello, {name}!"


def add_completion(server: FastMCP) -> None:
    """Add the completions, which FastMCP has since 4.x."""

    @server.completion
    def complete(ref: Any, argument: Any, context: Any) -> list[str]:
        values = PEOPLE if isinstance(ref, PromptReference) else DAYS
        return [value for value in values if value.startswith(argument.value)]


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    server = FastMCP("zoo", "Use add for sums.", version="1.0.0")
    memory = Memory()
    add_tools(server, memory)
    add_waits(server, memory)
    if MAJOR < 4:
        add_questions(server, DELIVERY_S if given.stateless or given.json else None)
    else:
        add_rounds(server)
        add_completion(server)
    add_readings(server)
    server.run(
        transport="http", port=given.port, stateless_http=given.stateless, json_response=given.json, show_banner=False
    )


if __name__ == "__main__":
    main()
