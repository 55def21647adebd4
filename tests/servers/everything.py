"""The server that the official conformance suite asks for, in a process of its own, on the official SDK.

    with everything() as url: ...                       # http://127.0.0.1:<port>/mcp, both eras

It offers, by the names that the suite calls, every tool of `tests.servers.everything_tools`, `..._asking`, `..._rounds`
and `..._tasks`, and the resources and prompts of `..._contents`; `targets` is all of it in the words of a catalog.

Rule 1: it is conformant by itself; so whatever fails through a gateway and not directly is the gateway's fault.
Rule 2: the process ends with the pipe on its standard input, so it never outlives the test.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    EmptyResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    SetLevelRequestParams,
    Tool,
)

from tests.servers import everything_asking, everything_contents, everything_rounds, everything_tasks, everything_tools
from tests.servers.everything_events import Events
from tests.servers.everything_offer import Context, Offer, Says

OFFERS: Final[Mapping[str, Offer]] = {
    offer.name: offer
    for offer in (*everything_tools.TOOLS, *everything_asking.TOOLS, *everything_rounds.TOOLS, *everything_tasks.TOOLS)
}
SHARED: Final = CacheHint(ttl_ms=1000, scope="public")
CACHED: Final[Mapping[CacheableMethod, CacheHint]] = {
    "server/discover": SHARED,
    "tools/list": SHARED,
    "prompts/list": SHARED,
    "resources/list": SHARED,
    "resources/templates/list": SHARED,
    "resources/read": SHARED,
}
"""What may be kept, and by whom: the widest, so that a gateway that narrows it is seen to be conformant as well."""


@contextmanager
def everything() -> Generator[str]:
    """Run the server until the end of the block; its URL."""
    command = [sys.executable, "-m", "tests.servers.everything"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def targets() -> dict[str, Any]:
    """Everything that the server offers, as a catalog lists it."""
    return {
        "tools": {name: {"action": "execute"} for name in OFFERS},
        "prompts": {prompt.name: {"action": "read"} for prompt in everything_contents.PROMPTS},
        "resources": {"test://*": {"action": "read"}},
        "tasks": {"action": "execute"},
    }


def server() -> Server[Any]:
    """The server with everything that it offers."""
    listed = [Tool(name=it.name, description=it.description, input_schema=dict(it.schema)) for it in OFFERS.values()]
    says = Says()

    async def list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        del ctx, params
        return ListToolsResult(tools=listed)

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        return await _offered(params.name).call(says, ctx, params)

    made = Server[Any](
        "everything",
        version="1.0.0",
        cache_hints=CACHED,
        get_tool_input_schema=lambda name: OFFERS[name].schema if name in OFFERS else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=everything_contents.list_resources,
        on_list_resource_templates=everything_contents.list_templates,
        on_read_resource=everything_contents.read_resource,
        on_subscribe_resource=everything_contents.subscribe,
        on_unsubscribe_resource=everything_contents.unsubscribe,
        on_subscriptions_listen=ListenHandler(says.bus),
        on_list_prompts=everything_contents.list_prompts,
        on_get_prompt=everything_contents.give_prompt,
        on_completion=everything_contents.complete,
    )
    made.add_request_handler("logging/setLevel", SetLevelRequestParams, _set_level)
    made.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience="everything"))
    return made


def _offered(name: str) -> Offer:
    if name not in OFFERS:
        raise MCPError(INVALID_PARAMS, f"Unknown tool: {name}")
    return OFFERS[name]


async def _set_level(ctx: Context, params: SetLevelRequestParams) -> EmptyResult:
    del ctx, params
    return EmptyResult()


class _Announcing(uvicorn.Server):
    """A server that says where it is when it is ready."""

    url = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self.url, flush=True)  # noqa: T201 - the URL is this program's output


async def _serve() -> None:
    app = server().streamable_http_app(event_store=Events(), retry_interval=100)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = _Announcing(uvicorn.Config(app, http="h11", log_level="error", timeout_graceful_shutdown=1))
        running.url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        threading.Thread(target=_end_with_stdin, args=(running,), daemon=True).start()
        await running.serve(sockets=[listening])


def _end_with_stdin(running: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    running.should_exit = True


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    asyncio.run(_serve())
