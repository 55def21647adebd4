"""Cases: callers with floods of messages that are refused, useless, or for other purposes than they are used for."""

import asyncio
import sys
from typing import Any, Final

import orjson

from tests.fairness.attacker import Attacker
from tests.fairness.case import client_case
from tests.faults.wire import META, call, request

_NOTHING: Final = b""


async def flood(attacker: Attacker, message: dict[str, Any], parallel: int = 16) -> None:
    """Send a legacy message in a session again and again."""
    headers = await attacker.session()
    body = orjson.dumps(message)
    sent = attacker.head(body, headers) + body
    await attacker.loops(parallel, lambda: attacker.send(sent))


@client_case
async def refused_calls(attacker: Attacker) -> None:
    """Calls of tools that the server does not list, each another one."""

    async def send() -> None:
        await attacker.post(call(f"nothing_{attacker.number()}"))

    await attacker.loops(16, send)


@client_case
async def calls_on_hundreds_of_connections(attacker: Attacker) -> None:
    """Ordinary calls, four hundred at once."""
    body = call("echo")
    sent = attacker.head(body) + body
    await attacker.loops(400, lambda: attacker.send(sent))


@client_case
async def calls_of_one_unlisted_tool(attacker: Attacker) -> None:
    """Calls of one tool that the server does not list."""
    await attacker.loops(16, lambda: attacker.post(call("nothing")))


@client_case
async def malformed_messages(attacker: Attacker) -> None:
    """Messages that are refused before policy is asked."""
    body = call("echo").replace(b'"2.0"', b'"1.0"')
    sent = attacker.head(body) + body
    await attacker.loops(16, lambda: attacker.send(sent))


@client_case
async def sessions(attacker: Attacker) -> None:
    """Sessions that are opened and left."""
    await attacker.loops(16, attacker.session)


@client_case
async def sessions_ended(attacker: Attacker) -> None:
    """DELETE for sessions, real ones and others."""
    headers = await attacker.session()
    await attacker.loops(16, lambda: attacker.send(attacker.head(_NOTHING, headers, verb="DELETE")))


@client_case
async def notifications(attacker: Attacker) -> None:
    """Notifications that nothing answers."""
    await flood(attacker, {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})


@client_case
async def cancellations(attacker: Attacker) -> None:
    """Cancellations of requests that are not open."""
    params = {"requestId": 7, "reason": "x"}
    await flood(attacker, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})


@client_case
async def progress(attacker: Attacker) -> None:
    """Progress of requests that are not open."""
    params = {"progressToken": 7, "progress": 1}
    await flood(attacker, {"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


@client_case
async def responses_to_nothing(attacker: Attacker) -> None:
    """Responses to requests that no server made."""
    await flood(attacker, {"jsonrpc": "2.0", "id": "x", "result": {"content": ["x" * 1_000] * 100}})


@client_case
async def pings(attacker: Attacker) -> None:
    """Pings."""
    await flood(attacker, {"jsonrpc": "2.0", "id": 1, "method": "ping"})


@client_case
async def completions(attacker: Attacker) -> None:
    """Requests for completions."""
    params = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "b"}}
    await flood(attacker, {"jsonrpc": "2.0", "id": 1, "method": "completion/complete", "params": params})


@client_case
async def resources_of_long_uris(attacker: Attacker) -> None:
    """Reads of resources with long URIs that have to be normalized."""
    uri = "https://a.example/" + "%7e/../" * 1_000
    body = orjson.dumps(request("resources/read", {"uri": uri}))
    await attacker.loops(8, lambda: attacker.post(body))


@client_case
async def many_distinct_tools(attacker: Attacker) -> None:
    """Calls of many different tools, with arguments that differ."""

    async def send() -> None:
        number = attacker.number()
        await attacker.post(call(f"tool_{number % 100}", {"n": number}))

    await attacker.loops(16, send)


@client_case
async def batches(attacker: Attacker) -> None:
    """Batches of many messages."""
    body = b"[" + b",".join([call("echo")] * 5_000) + b"]"
    sent = attacker.head(body, (*(await attacker.session()),)) + body
    await attacker.loops(2, lambda: attacker.send(sent))


@client_case
async def discovery(attacker: Attacker) -> None:
    """Requests for what the server offers."""
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}})
    await attacker.loops(16, lambda: attacker.post(body))


@client_case
async def stops_made_and_lifted(attacker: Attacker) -> None:
    """Stops of another agent, made and lifted again and again by an operator."""
    shared = ("--config", str(attacker.settings), "--because", "a test")

    async def command(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "stop", *words, *shared, stdout=-1, stderr=-3
        )
        return (await process.communicate())[0].decode()

    async def churn() -> None:
        found = await command("--agent", "nobody", "--for", "5m")
        name = next((word.strip(".,:") for word in found.split() if word.startswith("stop-")), "stop-none")
        await command("lift", name)

    await attacker.loops(2, churn)


@client_case
async def long_names_to_listen_to(attacker: Attacker) -> None:
    """Filters with as many names of resources as one may have, each as long as one may be."""
    names = [f"x://{number}/{'a' * 3900}" for number in range(900)]
    body = orjson.dumps(request("subscriptions/listen", {"notifications": {"resourceSubscriptions": names}}))
    await attacker.loops(4, lambda: attacker.post(body))
