"""Cases: servers whose lists are large, endless or hard to check against, and callers who ask for them."""

from typing import Any

import orjson

from tests.fairness.attacker import Attacker
from tests.fairness.case import json_reply, message_of, server_case_with
from tests.fairness.hostile import LISTED, SCHEMA
from tests.faults.wire import META, call
from tests.servers.scripted import Do, Received, Repeat, Script, chunk


async def _listing(attacker: Attacker) -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}})
    await attacker.loops(4, lambda: attacker.post(body))


async def _calling_the_unlisted(attacker: Attacker) -> None:
    async def send() -> None:
        await attacker.post(call(f"nothing_{attacker.number()}"))

    await attacker.loops(4, send)


async def _calling(attacker: Attacker) -> None:
    await attacker.loops(4, lambda: attacker.post(call("echo", {"text": "a" * 5_000})))


def tools(count: int, schema: Any = SCHEMA, *, first: int = 0) -> list[dict[str, Any]]:
    """Return so many tools."""
    echo = [{"name": "echo", "description": "Echo.", "inputSchema": schema}]
    more = range(first, first + count - 1)
    return [*echo, *({"name": f"tool_{n}", "description": "x" * 50, "inputSchema": schema} for n in more)]


def listed(got: Received, items: list[dict[str, Any]], after: str = "") -> Script | None:
    """Return a page of tools if that is what was asked for."""
    if message_of(got).get("method") != "tools/list":
        return None
    page = {"resultType": "complete", "tools": items, "ttlMs": 0, "cacheScope": "private"}
    return json_reply(got, orjson.dumps(page | ({"nextCursor": after} if after else {})))


def page_of(got: Received) -> int:
    """Return the number of the page that is asked for."""
    return int(message_of(got).get("params", {}).get("cursor") or 0)


@server_case_with(_listing)
def ten_thousand_tools(got: Received) -> Script | None:
    """10,000 tools on one page."""
    return listed(got, tools(10_000))


@server_case_with(_listing)
def a_thousand_tools(got: Received) -> Script | None:
    """1,000 tools on one page, listed again and again."""
    return listed(got, tools(1_000))


@server_case_with(_calling_the_unlisted)
def a_hundred_pages(got: Received) -> Script | None:
    """100 pages of 100 tools, read by the gateway for calls of unlisted tools."""
    number = page_of(got)
    return listed(got, tools(100, first=number * 100), str(number + 1) if number < 99 else "")


@server_case_with(_calling_the_unlisted)
def pages_without_end(got: Received) -> Script | None:
    """Pages of 1,000 tools that do not come to an end."""
    return listed(got, tools(1_000, first=page_of(got) * 1_000), str(page_of(got) + 1))


def _endless(got: Received, head: bytes, *pieces: bytes) -> Script | None:
    if message_of(got).get("method") not in LISTED:
        return None
    first, *rest = pieces
    begun = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % head
    return [begun, chunk(first), Repeat(chunk(b"".join(rest)), 1_000_000), Do.HANG]


@server_case_with(_calling_the_unlisted)
def a_list_without_end(got: Received) -> Script | None:
    """A list whose JSON does not end."""
    item = b'{"name":"t","inputSchema":{"type":"object"}},'
    return _endless(got, b"application/json", b'{"jsonrpc":"2.0","id":1,"result":{"tools":[', item * 500)


@server_case_with(_calling_the_unlisted)
def a_list_behind_comments(got: Received) -> Script | None:
    """A list that is announced by comments for ever."""
    return _endless(got, b"text/event-stream", b":\n", b":\n" * 10_000)


@server_case_with(_calling_the_unlisted)
def a_list_behind_notifications(got: Received) -> Script | None:
    """A list that is announced by notifications for ever."""
    note = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n'
    return _endless(got, b"text/event-stream", b":\n", note * 300)


@server_case_with(_calling_the_unlisted)
def a_list_that_does_not_come(got: Received) -> Script | None:
    """A list that is never answered."""
    return [Do.HANG] if message_of(got).get("method") in LISTED else None


def _schema(got: Received, schema: Any) -> Script | None:
    return listed(got, [{"name": "echo", "inputSchema": schema}])


@server_case_with(_calling)
def a_schema_of_references(got: Received) -> Script | None:
    """A schema whose references multiply."""
    levels = {f"l{n}": {"anyOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 8} for n in range(12)}
    schema = {
        "type": "object",
        "properties": {"text": {"$ref": "#/$defs/l0"}},
        "$defs": levels | {"l12": {"type": "null"}},
    }
    return _schema(got, schema)


@server_case_with(_calling)
def a_schema_of_patterns(got: Received) -> Script | None:
    """A schema whose pattern is slow."""
    return _schema(
        got, {"type": "object", "properties": {"text": {"type": "string", "pattern": "^(a+)+$|(a|aa)+b{900}"}}}
    )


@server_case_with(_calling)
def a_schema_of_properties(got: Received) -> Script | None:
    """A schema with many properties and alternatives."""
    properties = {f"p{n}": {"type": "string", "enum": [f"v{m}" for m in range(50)]} for n in range(2_000)}
    return _schema(
        got, {"type": "object", "properties": properties, "oneOf": [{"required": [name]} for name in properties]}
    )


@server_case_with(_listing)
def schemas_that_are_deep(got: Received) -> Script | None:
    """Tools whose schemas nest deep."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(50):
        schema = {"type": "object", "properties": {"x": schema}}
    return listed(got, tools(200, schema))


@server_case_with(_calling)
def a_list_that_changes_at_every_look(got: Received) -> Script | None:
    """A tool whose description is another one each time, with the news of it before every answer."""
    if message_of(got).get("method") == "tools/list":
        return listed(got, [{"name": "echo", "description": str(id(got)), "inputSchema": SCHEMA}])
    if message_of(got).get("method") != "tools/call":
        return None
    note = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'
    answer = b'data: {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, chunk(note * 20 + answer), b"0\r\n\r\n"]
