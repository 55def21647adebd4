"""The tools of the everything server that ask the client while the call is open (revisions with sessions).

Rule 1: what the client answers is in the tool's result, so that a lost or changed answer shows.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    CallToolRequestParams,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    SamplingMessage,
    TextContent,
)

from tests.servers.everything_offer import Answer, Context, Offer, Says, takes, text

_USER: Final = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}
_STATES: Final = ["active", "inactive", "pending"]
_DEFAULTS: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Name", "default": "John Doe"},
        "age": {"type": "integer", "description": "Age", "default": 30},
        "score": {"type": "number", "description": "Score", "default": 95.5},
        "status": {"type": "string", "description": "Status", "enum": _STATES, "default": "active"},
        "verified": {"type": "boolean", "description": "Verified", "default": True},
    },
}
_OPTIONS: Final = ["option1", "option2", "option3"]
_TITLED: Final = [
    {"const": "value1", "title": "First Option"},
    {"const": "value2", "title": "Second Option"},
    {"const": "value3", "title": "Third Option"},
]
_ENUMS: Final = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": _OPTIONS},
        "titledSingle": {"type": "string", "oneOf": _TITLED},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
        "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
    },
}


async def _sample(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says
    prompt = str((params.arguments or {}).get("prompt", ""))
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    request = CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))
    related = ServerMessageMetadata(related_request_id=ctx.request_id)
    try:
        answer = await ctx.session.send_request(request, CreateMessageResult, metadata=related)
    except MCPError as error:
        return text(f"The client did not sample: {error}", is_error=True)
    said = answer.content.text if isinstance(answer.content, TextContent) else answer.content.type
    return text(f"LLM response: {said}")


async def _elicited(ctx: Context, message: str, schema: Mapping[str, Any]) -> str:
    answer = await ctx.session.elicit_form(message, dict(schema), ctx.request_id)
    return f"action={answer.action}, content={json.dumps(answer.content or {})}"


async def _ask(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says
    try:
        message = str((params.arguments or {}).get("message", ""))
        return text(f"User response: {await _elicited(ctx, message, _USER)}")
    except MCPError as error:
        return text(f"The client did not ask its user: {error}", is_error=True)


async def _ask_with_defaults(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, params
    return text(f"Elicitation completed: {await _elicited(ctx, 'Review these values', _DEFAULTS)}")


async def _ask_with_enums(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, params
    return text(f"Elicitation completed: {await _elicited(ctx, 'Choose among these', _ENUMS)}")


TOOLS: Final = (
    Offer("test_sampling", "Asks the client's model", _sample, takes("prompt")),
    Offer("test_elicitation", "Asks the user", _ask, takes("message")),
    Offer("test_elicitation_sep1034_defaults", "Asks the user, with a default for each type", _ask_with_defaults),
    Offer("test_elicitation_sep1330_enums", "Asks the user, with enumerations of each kind", _ask_with_enums),
)
