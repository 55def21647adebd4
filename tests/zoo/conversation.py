"""One conversation with a server, held by the official Python SDK: each step and what came of it, as JSON.

    transcript = await converse(url, run, restart)

Rule 1: nothing is asserted here; the transcripts of two conversations are compared.
Rule 2: all steps share one session, in one order: what a step breaks, the later ones show. `restart` comes last, then
a new session.
Rule 3: each step has a deadline, and its outcome is one of `result`, `error` (JSON-RPC), `failed` (anything else).
Rule 4: a server that answers the first request late, on a busy machine, is not taken for one of the legacy era.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final
from unittest.mock import patch

import anyio
import httpx
from mcp import Client, MCPError
from mcp.client import session
from mcp_types import (
    CreateMessageResult,
    ElicitRequestFormParams,
    ElicitResult,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
)
from pydantic import BaseModel

from tests.zoo.entry import Call, Completion, Run, Steps

Transcript = dict[str, Any]
_STEP_S: Final = 60.0
_NOTICED_S: Final = 10.0
"""How long the server has to notice a cancellation."""
_BEGUN_S: Final = 1.0
"""After this a call that reports no progress is canceled nevertheless."""
_PAGES: Final = 100
_TICK_S: Final = 0.1


async def converse(url: str, run: Run, restart: Callable[[], Awaitable[None]]) -> Transcript:
    """Hold the conversation of a run; `restart` ends the server and starts it again at the same address."""
    talk = _Talk(url, run)
    with patch.object(session, "DISCOVER_TIMEOUT_SECONDS", _STEP_S):
        await talk.hold(restart)
    return talk.transcript


class _Talk:
    """One conversation."""

    def __init__(self, url: str, run: Run) -> None:
        self._url: Final = url
        self._run: Final = run
        self._steps: Final[Steps] = run.entry.steps
        self._restarting: asyncio.Future[None] | None = None
        self.transcript: Final[Transcript] = {}

    def _client(self) -> Client:
        return Client(
            self._url,
            mode=self._run.mode,
            sampling_callback=_sampled,
            elicitation_callback=_elicited,
            read_timeout_seconds=_STEP_S,
        )

    async def hold(self, restart: Callable[[], Awaitable[None]]) -> None:
        failed = await _failed(self._session(restart))
        if failed is not None:
            self.transcript["session"] = failed
        if self._restarting is not None:
            await self._restarting
        if self._steps.calls:
            failed = await _failed(self._again())
            if failed is not None:
                self.transcript["reconnected"] = failed

    async def _session(self, restart: Callable[[], Awaitable[None]]) -> None:
        async with self._client() as client:
            self._connected(client)
            await self._lists(client)
            for name, request in self._requests(client):
                await self._note(name, request)
            await self._long_calls(client)
            if self._steps.refused is not None:
                await self._refused(client, self._steps.refused)
            if self._steps.calls:
                await self._call("after", client, self._steps.calls[0])
                # A session may end with the server; the restart does not.
                self._restarting = asyncio.ensure_future(restart())
                await asyncio.shield(self._restarting)
                await self._call("restarted", client, self._steps.calls[0])

    async def _again(self) -> None:
        async with self._client() as client:
            await self._call("reconnected", client, self._steps.calls[0])

    def _connected(self, client: Client) -> None:
        self.transcript["connect"] = {
            "revision": client.protocol_version,
            "server": _json(client.server_info) if client.server_info else None,
            "instructions": client.instructions,
        }
        self.transcript["capabilities"] = _json(client.server_capabilities)

    async def _lists(self, client: Client) -> None:
        capabilities = self.transcript["capabilities"]
        if "tools" in capabilities:
            await self._note("tools", _pages(client.list_tools, "tools"))
        if "resources" in capabilities:
            await self._note("resources", _pages(client.list_resources, "resources"))
            await self._note("templates", _pages(client.list_resource_templates, "resourceTemplates"))
        if "prompts" in capabilities:
            await self._note("prompts", _pages(client.list_prompts, "prompts"))

    def _requests(self, client: Client) -> Iterator[tuple[str, Awaitable[Any]]]:
        """Yield the short requests, each with its name in the transcript."""
        steps = self._steps
        for number, call in enumerate(steps.calls, 1):
            yield f"call {number} {call.tool}", _call(client, call)
        for uri in steps.reads:
            yield f"read {uri}", client.read_resource(uri)
        for prompt in steps.prompts:
            yield f"prompt {prompt.name}", client.get_prompt(prompt.name, dict(prompt.arguments))
        for number, completion in enumerate(steps.completions, 1):
            yield f"completion {number}", _complete(client, completion)
        for name, call in (("sampling", steps.sampling), ("elicitation", steps.elicitation)):
            if call is not None:
                yield name, _call(client, call)

    async def _long_calls(self, client: Client) -> None:
        if self._steps.progress is not None:
            reported: list[Any] = []

            async def progressed(progress: float, total: float | None, message: str | None) -> None:
                reported.append([progress, total, message])

            await self._note("progress", _call(client, self._steps.progress, progressed))
            self.transcript["progress"]["reported"] = reported
        if self._steps.cancellation is not None:
            await self._canceled(client, self._steps.cancellation)

    async def _canceled(self, client: Client, call: Call) -> None:
        before = await _outcome(_call(client, call.proof)) if call.proof else None
        begun = asyncio.Event()

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            begun.set()

        running = asyncio.create_task(_outcome(_call(client, call, progressed)))
        waiting = asyncio.create_task(begun.wait())
        await asyncio.wait({waiting, running}, timeout=_BEGUN_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        running.cancel()
        await asyncio.wait({running}, timeout=_STEP_S)
        self.transcript["cancellation"] = {"canceled": running.cancelled(), "reported": begun.is_set()}
        if call.proof is not None:
            self.transcript["cancellation noticed"] = await _changed(client, call.proof, before)

    async def _refused(self, client: Client, call: Call) -> None:
        proof = call.proof
        if proof is not None:
            await self._call("before refused", client, proof)
        await self._call("refused", client, call)
        if proof is not None:
            await self._call("after refused", client, proof)

    async def _call(self, name: str, client: Client, call: Call) -> None:
        await self._note(name, _call(client, call))

    async def _note(self, name: str, request: Awaitable[Any]) -> None:
        self.transcript[name] = await _outcome(request)


async def _changed(client: Client, proof: Call, before: Any) -> Any:
    """Return the outcome of the proof, once it has changed or its time is over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _NOTICED_S
    while (found := await _outcome(_call(client, proof))) == before and loop.time() < end:
        await asyncio.sleep(_TICK_S)  # noqa: TID251 - the rhythm in which the server is asked
    return found


def _call(client: Client, call: Call, progressed: Any = None) -> Awaitable[Any]:
    return client.call_tool(call.tool, dict(call.arguments), progress_callback=progressed)


def _complete(client: Client, completion: Completion) -> Awaitable[Any]:
    argument = {"name": completion.argument, "value": completion.value}
    if completion.prompt is not None:
        return client.complete(PromptReference(type="ref/prompt", name=completion.prompt), argument)
    uri = str(completion.resource)
    return client.complete(ResourceTemplateReference(type="ref/resource", uri=uri), argument)


async def _pages(listed: Callable[..., Awaitable[Any]], key: str) -> Mapping[str, Any]:
    """Return all pages of a list as one."""
    items: list[Any] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = _json(await listed(cursor=cursor))
        items += page[key]
        cursor = page.get("nextCursor")
        if not cursor:
            break
    return {key: items, "endless": bool(cursor)}


async def _outcome(request: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(_STEP_S):
            result = await request
    except MCPError as error:
        return {"error": {"code": error.error.code, "message": error.error.message, "data": error.error.data}}
    except (TimeoutError, OSError, ValueError, RuntimeError, httpx.HTTPError, anyio.ClosedResourceError) as error:
        return {"failed": type(error).__name__}
    return {"result": _json(result)}


async def _failed(conversation: Awaitable[None]) -> Any:
    """Return why a session failed; None if it did not."""
    try:
        await conversation
    except (MCPError, TimeoutError, OSError, ValueError, RuntimeError, httpx.HTTPError, ExceptionGroup) as error:
        return {"failed": repr(error)}
    return None


def _json(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(value, BaseModel) else value


async def _sampled(context: Any, params: Any) -> CreateMessageResult:
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="word"), model="m")


async def _elicited(context: Any, params: Any) -> ElicitResult:
    if not isinstance(params, ElicitRequestFormParams):
        return ElicitResult(action="decline")
    return ElicitResult(action="accept", content=dict.fromkeys(params.requested_schema.get("properties", {}), "Ada"))
