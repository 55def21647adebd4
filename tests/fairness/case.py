"""The register of cases: one short function each.

    @client_case
    async def floats(attacker: Attacker) -> None:
        '''Calls with arrays of floats'''
        body = call("echo", {"m": [1.5] * 190_000})
        await attacker.loops(2, lambda: attacker.post(body))

    @server_case
    def comments(got: Received) -> Script:
        '''An SSE answer of comments'''
        return stream(Repeat(b":\\n" * 1_000, 130))

Rule 1: a client case says what the attacking caller does; its server is an ordinary one.
Rule 2: a server case says how the server answers a call; null means as usual. Its caller makes ordinary calls.
Rule 3: nothing here ends by itself: the runner ends the attacker, and the gateway ends the exchange.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson
from msgspec import Struct

from tests.faults.wire import call
from tests.servers.scripted import Received, Script, whole

if TYPE_CHECKING:
    from tests.fairness.attacker import Attacker

Attack = Callable[["Attacker"], Awaitable[None]]
Reply = Callable[[Received], Script | None]
PARALLEL: Final = 4
"""Calls at once to a server that misbehaves."""


class Case(Struct, frozen=True, kw_only=True):
    """One way to misbehave."""

    name: str
    title: str
    attack: Attack
    reply: Reply


CASES: Final[dict[str, Case]] = {}


def usual(_got: Received) -> Script | None:
    """Answer as an ordinary server."""
    return None


async def _calls(attacker: "Attacker") -> None:
    body = call("echo")
    sent = attacker.head(body) + body
    await attacker.loops(PARALLEL, lambda: attacker.swallow(sent))


def client_case(attack: Attack) -> Attack:
    """Register what a caller does."""
    _register(attack, attack, usual)
    return attack


def server_case(reply: Reply) -> Reply:
    """Register how a server answers the calls of some ordinary callers."""
    _register(reply, _calls, reply)
    return reply


def server_case_with(attack: Attack) -> Callable[[Reply], Reply]:
    """Register how a server answers what `attack` does."""

    def register(reply: Reply) -> Reply:
        _register(reply, attack, reply)
        return reply

    return register


def _register(function: Callable[..., Any], attack: Attack, reply: Reply) -> None:
    name = function.__name__
    if name in CASES:
        message = f"two cases are named {name}"
        raise ValueError(message)
    CASES[name] = Case(name=name, title=(function.__doc__ or name).strip(), attack=attack, reply=reply)


def message_of(got: Received) -> Mapping[str, Any]:
    """Return the JSON-RPC message that arrived; empty if there is none."""
    return got.json if got.body else {}


def json_reply(got: Received, result: bytes, *, headers: str = "") -> Script:
    """Return a response with this result, written as it is."""
    body = b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (orjson.dumps(message_of(got).get("id")), result)
    return whole(body, headers=headers)
