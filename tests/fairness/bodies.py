"""Cases: callers with heavy bodies, below the documented limits and above them."""

from typing import Any, Final

import orjson

from tests.fairness.attacker import Attacker, headers_of
from tests.fairness.case import client_case, message_of, server_case_with
from tests.faults.wire import call, request
from tests.servers.scripted import Do, Received, Script

_ARGUMENTS: Final = 1_000_000
"""Bytes of arguments: somewhat less than is allowed."""


def filled(piece: Any) -> bytes:
    """Return a call whose arguments hold so many copies of a value as are allowed."""
    size = len(orjson.dumps(piece)) + 1
    return orjson.dumps(request("tools/call", {"name": "echo", "arguments": {"m": [piece] * (_ARGUMENTS // size)}}))


async def heavy(attacker: Attacker, body: bytes, connections: int = 2) -> None:
    """Send a body on some connections again and again."""
    sent = attacker.head(body) + body
    await attacker.loops(connections, lambda: attacker.send(sent))


async def _many_large(attacker: Attacker) -> None:
    await heavy(attacker, call("echo", {"text": "x" * _ARGUMENTS}), 100)


@server_case_with(_many_large)
def large_calls_without_an_answer(got: Received) -> Script | None:
    """Calls of a megabyte, a hundred at once, that the server never answers."""
    return [Do.HANG] if message_of(got).get("method") == "tools/call" else None


@client_case
async def heavy_objects_on_many_connections(attacker: Attacker) -> None:
    """Arrays of small objects, a hundred at once."""
    await heavy(attacker, filled({"a": 1, "b": None}), 100)


@client_case
async def heavy_floats(attacker: Attacker) -> None:
    """Arrays of floats."""
    await heavy(attacker, filled(1.5))


@client_case
async def heavy_integers(attacker: Attacker) -> None:
    """Arrays of integers."""
    await heavy(attacker, filled(1))


@client_case
async def heavy_long_integers(attacker: Attacker) -> None:
    """Arrays of integers with 15 digits."""
    await heavy(attacker, filled(123_456_789_012_345))


@client_case
async def heavy_empty_arrays(attacker: Attacker) -> None:
    """Arrays of empty arrays."""
    await heavy(attacker, filled([]))


@client_case
async def heavy_objects(attacker: Attacker) -> None:
    """Arrays of small objects."""
    await heavy(attacker, filled({"a": 1, "b": None}))


@client_case
async def heavy_keys(attacker: Attacker) -> None:
    """One object with many keys."""
    keys = {f"k{number}": 0 for number in range(_ARGUMENTS // 12)}
    await heavy(attacker, call("echo", keys))


@client_case
async def heavy_foreign_keys(attacker: Attacker) -> None:
    """One object with many keys that have to be folded."""
    keys = {f"\u212a\u017f\u0130{number}": 0 for number in range(_ARGUMENTS // 30)}
    await heavy(attacker, call("echo", keys))


@client_case
async def heavy_nesting(attacker: Attacker) -> None:
    """Deep chains of arrays, side by side."""
    chain: Any = 0
    for _ in range(55):
        chain = [chain]
    await heavy(attacker, filled(chain))


@client_case
async def heavy_escapes(attacker: Attacker) -> None:
    """A string of escapes."""
    await heavy(attacker, call("echo", {"text": "\u0001é\\" * (_ARGUMENTS // 16)}))


@client_case
async def heavy_strings(attacker: Attacker) -> None:
    """Arrays of short strings that look like addresses and secrets."""
    await heavy(attacker, filled("alice@example.com https://a.example/x?token=abc"))


@client_case
async def heavy_metadata(attacker: Attacker) -> None:
    """Values beside the arguments."""
    params: dict[str, Any] = {"name": "echo", "arguments": {}, "more": [1.5] * 200_000}
    await heavy(attacker, orjson.dumps(request("tools/call", params)))


@client_case
async def heavy_in_parallel(attacker: Attacker) -> None:
    """Middling bodies on many connections."""
    body = call("echo", {"m": [1.5] * 2_000})
    sent = attacker.head(body) + body
    await attacker.loops(32, lambda: attacker.send(sent))


@client_case
async def arguments_above_their_limit(attacker: Attacker) -> None:
    """Arguments of 1.5 MB."""
    await heavy(attacker, call("echo", {"m": [1.5] * 375_000}))


@client_case
async def bodies_above_their_limit(attacker: Attacker) -> None:
    """Bodies of 5 MB, announced and in chunks."""
    body = call("echo")
    announced = attacker.head(body).replace(b"Content-Length: ", b"Content-Length: 5000000\r\nX-Was: ")
    chunked = attacker.head(body).replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\nX-Was: ")

    async def send() -> None:
        for head, piece in ((announced, b" " * 5_000_000), (chunked, b"%x\r\n%s\r\n" % (65_536, b" " * 65_536) * 80)):
            async with attacker.raw() as (reader, writer):
                writer.write(head + piece)
                await reader.read()

    await attacker.loops(4, send)


@client_case
async def bodies_that_are_not_json(attacker: Attacker) -> None:
    """A megabyte that turns out not to be JSON at its end."""
    body = call("echo", {"m": [1.5] * 240_000})
    broken = body[:-1] + b"]"
    sent = attacker.head(broken, (*headers_of(body), *attacker.credential)) + broken
    await attacker.loops(2, lambda: attacker.send(sent))


@client_case
async def deep_json(attacker: Attacker) -> None:
    """Nesting far above the limit."""
    body = call("echo").replace(b'"arguments": {}', b'"arguments": {"m": ' + b"[" * 400_000 + b"]" * 400_000 + b"}")
    sent = attacker.head(body, (*headers_of(call("echo")), *attacker.credential)) + body
    await attacker.loops(2, lambda: attacker.send(sent))


@client_case
async def numbers_of_many_digits(attacker: Attacker) -> None:
    """A number with as many digits as fit."""
    body = call("echo").replace(b'"arguments": {}', b'"arguments": {"m": ' + b"9" * 900_000 + b"}")
    sent = attacker.head(body, (*headers_of(call("echo")), *attacker.credential)) + body
    await attacker.loops(2, lambda: attacker.send(sent))


@client_case
async def chunks_of_a_byte(attacker: Attacker) -> None:
    """A body in chunks of a byte each."""
    body = call("echo", {"text": "x" * 100_000})
    head = attacker.head(body).replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\nX-Was: ")
    sent = head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    await attacker.loops(2, lambda: attacker.send(sent))
