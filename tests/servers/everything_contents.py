"""The resources and prompts of the everything server, and completion.

Rule 1: what is not offered is an error that names it, never an empty answer.
"""

import json
import re
from typing import Final

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmbeddedResource,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)

from tests.servers.everything_offer import Context
from tests.servers.everything_rounds import elicited, question
from tests.servers.everything_tools import PNG

_TEXTS: Final = {
    "test://static-text": "This is the content of the static text resource.",
    "test://watched-resource": "This is a resource that may be watched.",
}
_BINARY: Final = "test://static-binary"
_TEMPLATE: Final = re.compile(r"test://template/([^/]+)/data")
_RESOURCES: Final = [
    Resource(uri="test://static-text", name="static-text", description="A text", mime_type="text/plain"),
    Resource(uri=_BINARY, name="static-binary", description="An image", mime_type="image/png"),
    Resource(uri="test://watched-resource", name="watched", description="May be watched", mime_type="text/plain"),
]
PROMPTS: Final = [
    Prompt(name="test_simple_prompt", description="Without arguments"),
    Prompt(
        name="test_prompt_with_arguments",
        description="With two arguments",
        arguments=[
            PromptArgument(name="arg1", description="The first", required=True),
            PromptArgument(name="arg2", description="The second", required=True),
        ],
    ),
    Prompt(
        name="test_prompt_with_embedded_resource",
        description="With a resource",
        arguments=[PromptArgument(name="resourceUri", description="Its URI", required=True)],
    ),
    Prompt(name="test_prompt_with_image", description="With an image"),
    Prompt(name="test_input_required_result_prompt", description="Asks before it is given"),
]


async def list_resources(ctx: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
    """All resources."""
    del ctx, params
    return ListResourcesResult(resources=_RESOURCES)


async def list_templates(ctx: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
    """All templates."""
    del ctx, params
    template = ResourceTemplate(
        uri_template="test://template/{id}/data", name="template", description="By id", mime_type="application/json"
    )
    return ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    """One resource."""
    del ctx
    uri = str(params.uri)
    found = _TEMPLATE.fullmatch(uri)
    if uri == _BINARY:
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)])
    if uri in _TEXTS:
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="text/plain", text=_TEXTS[uri])])
    if found:
        data = json.dumps({"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"})
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="application/json", text=data)])
    raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})


async def subscribe(ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
    """Accept; nothing here changes by itself."""
    del ctx, params
    return EmptyResult()


async def unsubscribe(ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
    """Accept."""
    del ctx, params
    return EmptyResult()


async def list_prompts(ctx: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
    """All prompts."""
    del ctx, params
    return ListPromptsResult(prompts=PROMPTS)


async def give_prompt(ctx: Context, params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    """One prompt."""
    del ctx
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            return _prompt("This is a simple prompt for testing.")
        case "test_prompt_with_arguments":
            return _prompt(f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'")
        case "test_prompt_with_embedded_resource":
            resource = TextResourceContents(
                uri=given.get("resourceUri", ""), mime_type="text/plain", text="Embedded resource content for testing."
            )
            return _prompt(EmbeddedResource(resource=resource), "Please process the embedded resource above.")
        case "test_prompt_with_image":
            return _prompt(ImageContent(data=PNG, mime_type="image/png"), "Please analyze the image above.")
        case "test_input_required_result_prompt":
            return _after_asking(params)
        case _:
            raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name}")


def _after_asking(params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    context = elicited(params, "user_context", "context")
    if context:
        return _prompt(f"A prompt for {context}.")
    asked = question("What context should the prompt use?", "context")
    return InputRequiredResult(input_requests={"user_context": asked})


def _prompt(*contents: str | ImageContent | EmbeddedResource) -> GetPromptResult:
    parts = [TextContent(text=content) if isinstance(content, str) else content for content in contents]
    return GetPromptResult(messages=[PromptMessage(role="user", content=part) for part in parts])


async def complete(ctx: Context, params: CompleteRequestParams) -> CompleteResult:
    """What begins like the given value, of three words."""
    del ctx
    values = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
    return CompleteResult(completion=Completion(values=values, total=len(values), has_more=False))
