"""Cases: callers who open connections and do not use them as they should."""

import asyncio
from typing import Final

from tests.fairness.attacker import Attacker
from tests.fairness.case import client_case, json_reply, message_of, server_case_with
from tests.faults.wire import POST, call
from tests.servers.scripted import Received, Script

_HELD: Final = 600
"""Connections that are held open."""
_LARGE: Final = b'{"resultType":"complete","content":[{"type":"text","text":"' + b"x" * 4_000_000 + b'"}]}'


@client_case
async def half_heads(attacker: Attacker) -> None:
    """Heads that do not end, without a credential."""
    await attacker.loops(_HELD, lambda: attacker.unread(b"POST /servers/x/mcp HTTP/1.1\r\nHost: x\r\nX-Half: "))


@client_case
async def open_connections(attacker: Attacker) -> None:
    """Connections on which nothing is sent."""
    await attacker.loops(_HELD, lambda: attacker.unread(b""))


@client_case
async def slow_heads(attacker: Attacker) -> None:
    """Heads that arrive byte by byte."""
    head = attacker.head(call("echo")) + b"X-More: 1\r\n" * 100
    await attacker.loops(200, lambda: attacker.drip(head))


@client_case
async def slow_bodies(attacker: Attacker) -> None:
    """Bodies that arrive byte by byte."""
    body = call("echo", {"text": "x" * 1_000})
    head = attacker.head(body)

    async def send() -> None:
        async with attacker.raw() as (_, writer):
            writer.write(head)
            for byte in body:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)  # noqa: TID251 - the pace of a slow sender

    await attacker.loops(200, send)


@client_case
async def connections_opened_and_closed(attacker: Attacker) -> None:
    """Connections that are closed at once."""
    await attacker.loops(32, lambda: attacker.unread(b"", hold_s=0))


@client_case
async def requests_dropped(attacker: Attacker) -> None:
    """Calls whose caller is gone at once."""
    body = call("echo")
    sent = attacker.head(body) + body
    await attacker.loops(16, lambda: attacker.unread(sent, hold_s=0.001))


@client_case
async def bytes_that_are_not_http(attacker: Attacker) -> None:
    """A TLS hello, garbage, and HTTP/2."""

    async def send() -> None:
        for sent in (b"\x16\x03\x01" + b"\x00" * 200, b"\x00" * 65_536, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            async with attacker.raw() as (reader, writer):
                writer.write(sent)
                await reader.read()

    await attacker.loops(16, send)


@client_case
async def pipelined_requests(attacker: Attacker) -> None:
    """Many calls on a connection before the first answer."""
    body = call("echo")
    sent = (attacker.head(body) + body) * 200

    async def send() -> None:
        async with attacker.raw() as (reader, writer):
            writer.write(sent)
            for _ in range(200):
                await reader.readuntil(b"HTTP/1.1 ")

    await attacker.loops(2, send)


@client_case
async def calls_in_parallel(attacker: Attacker) -> None:
    """Ordinary calls on many connections."""
    body = call("echo")
    sent = attacker.head(body) + body
    await attacker.loops(64, lambda: attacker.send(sent))


@client_case
async def no_credential(attacker: Attacker) -> None:
    """A flood without a credential."""
    body = call("echo")
    sent = attacker.head(body, POST) + body
    await attacker.loops(16, lambda: attacker.send(sent))


@client_case
async def unknown_credentials(attacker: Attacker) -> None:
    """A flood with tokens that no agent has, each another one."""
    body = call("echo")

    async def send() -> None:
        headers = (*POST, ("Authorization", f"Bearer mcpa_{attacker.number():032d}"))
        await attacker.send(attacker.head(body, headers) + body)

    await attacker.loops(16, send)


@client_case
async def unknown_paths(attacker: Attacker) -> None:
    """Requests to paths and with methods that do not exist."""
    body = call("echo")
    head = attacker.head(body)
    await attacker.loops(8, lambda: attacker.send(head.replace(b"/mcp", b"/nothing") + body))


@client_case
async def large_heads(attacker: Attacker) -> None:
    """Heads just below their limit."""
    body = call("echo")
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 300) for number in range(80))
    sent = attacker.head(body).replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n") + body
    await attacker.loops(8, lambda: attacker.send(sent))


async def _never_read(attacker: Attacker) -> None:
    body = call("echo")
    await attacker.loops(60, lambda: attacker.unread(attacker.head(body) + body))


async def _read_slowly(attacker: Attacker) -> None:
    body = call("echo")

    async def read() -> None:
        async with attacker.raw() as (reader, writer):
            writer.write(attacker.head(body) + body)
            while await reader.read(4_096):
                await asyncio.sleep(0.01)  # noqa: TID251 - the pace of a slow reader

    await attacker.loops(30, read)


@server_case_with(_never_read)
def results_never_read(got: Received) -> Script | None:
    """Results of 4 MB for callers who do not read."""
    return json_reply(got, _LARGE) if message_of(got).get("method") == "tools/call" else None


@server_case_with(_read_slowly)
def results_read_slowly(got: Received) -> Script | None:
    """Results of 4 MB for callers who read slowly."""
    return json_reply(got, _LARGE) if message_of(got).get("method") == "tools/call" else None
