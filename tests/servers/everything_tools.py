"""The tools of the everything server that ask nobody anything: contents, progress, log messages, changes, headers.

Rule 1: names and texts are those that the conformance suite looks for.
"""

import asyncio
from typing import Any, Final

from mcp.server.subscriptions import PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)

from tests.servers.everything_offer import Answer, Context, Offer, Says, offer, text

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
"""One red pixel."""
WAV: Final = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
"""No sound at all."""
PAUSE_S: Final = 0.05

_2020_12: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
_MIRRORED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "query": {"type": "string"},
    },
    "required": ["query"],
}


def _embedded(uri: str, mime_type: str, said: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=said))


async def _log(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, params
    await _tell(ctx, "Tool execution started")
    await _pause()
    await _tell(ctx, "Tool processing data")
    await _pause()
    await _tell(ctx, "Tool execution completed")
    return text("Logged three times.")


async def _progress(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, params
    await ctx.session.report_progress(0, 100)
    await _pause()
    await ctx.session.report_progress(50, 100)
    await _pause()
    await ctx.session.report_progress(100, 100)
    return text("Reported progress three times.")


async def _reconnect(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    """Answer only after the stream was closed, so that the client has to come back for the answer."""
    del says, params
    if ctx.close_sse_stream is not None:
        await ctx.close_sse_stream()
    await _pause()
    return text("Answered after the stream was closed.")


async def _needs_sampling(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, params
    declared = ctx.session.client_capabilities
    if declared is None or declared.sampling is None:
        needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs sampling", needed)
    return text("The client can sample.")


async def _change_tools(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del ctx, params
    await says.bus.publish(ToolsListChanged())
    return text("Told that the list of tools changed.")


async def _change_prompts(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del ctx, params
    await says.bus.publish(PromptsListChanged())
    return text("Told that the list of prompts changed.")


async def _tell(ctx: Context, said: str) -> None:
    await ctx.session.send_log_message("info", said, related_request_id=ctx.request_id)  # pyright: ignore[reportDeprecated] - still served


async def _pause() -> None:
    await asyncio.sleep(PAUSE_S)  # noqa: TID251 - the pause that the suite asks for, so that events come one by one


TOOLS: Final = (
    offer("test_simple_text", "Answers a text", text("This is a simple text response for testing.")),
    offer(
        "test_image_content",
        "Answers an image",
        CallToolResult(content=[ImageContent(data=PNG, mime_type="image/png")]),
    ),
    offer(
        "test_audio_content",
        "Answers a sound",
        CallToolResult(content=[AudioContent(data=WAV, mime_type="audio/wav")]),
    ),
    offer(
        "test_embedded_resource",
        "Answers a resource",
        CallToolResult(
            content=[_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]
        ),
    ),
    offer(
        "test_multiple_content_types",
        "Answers a text, an image and a resource",
        CallToolResult(
            content=[
                TextContent(text="Multiple content types test:"),
                ImageContent(data=PNG, mime_type="image/png"),
                _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
            ]
        ),
    ),
    offer(
        "test_error_handling",
        "Always fails",
        text("This tool intentionally returns an error for testing", is_error=True),
    ),
    Offer("test_tool_with_logging", "Logs three messages", _log),
    Offer("test_logging_tool", "Logs only where a client asked for it", _log),
    Offer("test_tool_with_progress", "Reports progress three times", _progress),
    Offer("test_reconnection", "Closes its stream before it answers", _reconnect),
    Offer("test_missing_capability", "Needs a client that can sample", _needs_sampling),
    Offer("test_trigger_tool_change", "Tells that the list of tools changed", _change_tools),
    Offer("test_trigger_prompt_change", "Tells that the list of prompts changed", _change_prompts),
    offer(
        "test_mirrored_argument",
        "Wants an argument in a header as well",
        text("Mirrored."),
        _MIRRORED,
    ),
    offer(
        "json_schema_2020_12_tool",
        "Tool with JSON Schema 2020-12 features",
        text("Checked."),
        _2020_12,
    ),
)
