"""The client that the conformance suite runs, `python -m tests.conformance.client URL`: the official SDK.

The suite names the scenario and the revision in its environment. With $CONFORMANCE_GATEWAY, `CONTROL ORIGIN`, the
client goes through a gateway: its server there, named after the scenario, is led to the suite's own (`..forwarder`).

Rule 1: it does the same on both ways, so that what differs is the gateway's.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from mcp import Client
from mcp.client import ClientRequestContext
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ListRootsResult,
    TextContent,
)
from pydantic import ValidationError

from tests.conformance.forwarder import lead

CALLS: Final[dict[str, tuple[tuple[str, dict[str, Any]], ...]]] = {
    "tools_call": (("add_numbers", {"a": 5, "b": 3}),),
    "elicitation-sep1034-client-defaults": (("test_client_elicitation_defaults", {}),),
    "sse-retry": (("test_reconnection", {}),),
    "sep-2322-client-request-state": (
        ("test_mrtr_echo_state", {}),
        ("test_mrtr_unrelated", {}),
        ("test_mrtr_no_state", {}),
        ("test_mrtr_no_result_type", {}),
    ),
    "http-invalid-tool-headers": (("valid_tool", {"region": "us-east1"}),),
    "http-standard-headers": (("test_headers", {}), ("my-hyphenated-tool", {})),
}
"""The tools that a scenario wants called, with their arguments."""


async def main(url: str) -> None:
    """Do what the scenario wants."""
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    modern = os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"] >= "2026"
    client = Client(
        await _way(url, scenario),
        mode="auto" if modern else "legacy",
        read_timeout_seconds=20,
        elicitation_callback=_accept,
        sampling_callback=_sample,
        list_roots_callback=_roots,
    )
    async with client:
        listed = (await client.list_tools()).tools
        for name, arguments in (*CALLS.get(scenario, ()), *_wanted()):
            with suppress(ValidationError):  # the SDK refuses a modern result without a type; that it asked is enough
                await client.call_tool(name, arguments)
        if scenario == "json-schema-2020-12-preservation":
            focal = next(tool for tool in listed if tool.name == "json_schema_2020_12_tool")
            await client.call_tool("json_schema_echo", {"schema": focal.input_schema})
        if scenario == "http-standard-headers":
            await _read_all(client)


async def _way(url: str, scenario: str) -> str:
    """Return where to go: the suite's own server, or the gateway before it."""
    through = os.environ.get("CONFORMANCE_GATEWAY")
    if not through:
        return url
    control, origin = through.split()
    await lead(int(control), urlsplit(url).port or 80)
    return f"{origin}/servers/{server_id(scenario)}/mcp"


def server_id(scenario: str) -> str:
    """Return the catalog's id for the server of a scenario."""
    return scenario.replace("_", "-")


def _wanted() -> list[tuple[str, dict[str, Any]]]:
    """The calls that the suite itself asks for."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    return [(call["name"], call["arguments"]) for call in context.get("toolCalls", [])]


async def _read_all(client: Client) -> None:
    for resource in (await client.list_resources()).resources:
        await client.read_resource(resource.uri)
    for prompt in (await client.list_prompts()).prompts:
        await client.get_prompt(prompt.name)


async def _accept(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Accept, with the defaults of the form; what has none is confirmed."""
    del context
    schema: dict[str, Any] = params.requested_schema if isinstance(params, ElicitRequestFormParams) else {}
    asked: dict[str, dict[str, Any]] = schema.get("properties", {})
    return ElicitResult(action="accept", content={name: field.get("default", True) for name, field in asked.items()})


async def _sample(context: ClientRequestContext, params: CreateMessageRequestParams) -> CreateMessageResult:
    del context, params
    return CreateMessageResult(role="assistant", content=TextContent(text="word"), model="none")


async def _roots(context: ClientRequestContext) -> ListRootsResult:
    del context
    return ListRootsResult(roots=[])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
