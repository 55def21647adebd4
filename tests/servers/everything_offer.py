"""What one tool of the everything server is: a name, a schema, and what a call does.

Rule 1: nothing here knows a particular tool.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import CallToolRequestParams, CallToolResult, InputRequiredResult, TextContent
from msgspec import Struct, field

Context = ServerRequestContext[Any, Any]
Answer = CallToolResult | InputRequiredResult
NOTHING: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
"""The schema of a tool without arguments."""


class Says:
    """How tools tell everybody that a list changed."""

    def __init__(self) -> None:
        self.bus: Final = InMemorySubscriptionBus()


class Offer(Struct, frozen=True):
    """A tool."""

    name: str
    description: str
    call: Callable[[Says, Context, CallToolRequestParams], Awaitable[Answer]]
    schema: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


def offer(name: str, description: str, answer: Answer, schema: Mapping[str, Any] = NOTHING) -> Offer:
    """A tool that always answers the same."""

    async def call(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
        del says, ctx, params
        return answer

    return Offer(name, description, call, schema)


def text(said: str, *, is_error: bool = False) -> CallToolResult:
    """A result of one text."""
    return CallToolResult(content=[TextContent(text=said)], is_error=is_error)


def takes(*names: str) -> dict[str, Any]:
    """The schema of a tool whose arguments are texts that it needs."""
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}
