"""Cases: servers whose answers are large, late, slow or broken."""

import orjson

from tests.fairness.case import json_reply, message_of, server_case
from tests.servers.scripted import Do, Received, Repeat, Script, chunk

_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def result(got: Received, more: bytes) -> Script | None:
    """Return the result of a call that has these members besides its content."""
    if message_of(got).get("method") != "tools/call":
        return None
    return json_reply(got, b'{"resultType":"complete","content":[],' + more + b"}")


@server_case
def huge_text(got: Received) -> Script | None:
    """A result of 8 MB of text."""
    return result(got, b'"x":"' + b"y" * 7_900_000 + b'"')


@server_case
def huge_numbers(got: Received) -> Script | None:
    """A result of 2,000,000 numbers."""
    return result(got, b'"structuredContent":{"m":[' + b"1.5," * 1_900_000 + b"1]}")


@server_case
def huge_objects(got: Received) -> Script | None:
    """A result of many small objects."""
    return result(got, b'"structuredContent":{"m":[' + b'{"a":1,"b":null},' * 400_000 + b"{}]}")


@server_case
def many_contents(got: Received) -> Script | None:
    """A result of many items of content, each with a resource."""
    item = b'{"type":"resource","resource":{"uri":"note://x","text":"y"}},'
    return result(got, b'"more":[],"content":[' + item * 60_000 + b'{"type":"text","text":""}]')


@server_case
def deep_result(got: Received) -> Script | None:
    """A result that nests deeper than readers can."""
    return result(got, b'"x":' + b"[" * 2_000_000 + b"]" * 2_000_000)


@server_case
def larger_than_allowed(got: Received) -> Script | None:
    """A result of 50 MB."""
    if message_of(got).get("method") != "tools/call":
        return None
    return [_JSON, chunk(b'{"jsonrpc":"2.0","id":1,"result":{"x":"'), Repeat(chunk(b"y" * 65_536), 800), Do.CLOSE]


@server_case
def never_answers(got: Received) -> Script | None:
    """Silence."""
    return [Do.HANG] if message_of(got).get("method") == "tools/call" else None


@server_case
def drips(got: Received) -> Script | None:
    """A body whose bytes are chunks of their own, without an end."""
    if message_of(got).get("method") != "tools/call":
        return None
    return [_JSON, Repeat(chunk(b" ") * 2_000, 1_000_000), Do.HANG]


@server_case
def closes_after_a_byte(got: Received) -> Script | None:
    """A connection that is closed after a byte of the answer."""
    return [b"H", Do.CLOSE] if message_of(got).get("method") == "tools/call" else None


@server_case
def resets(_got: Received) -> Script:
    """A connection that is reset at every request."""
    return [Do.RESET]


@server_case
def informational_heads(got: Received) -> Script | None:
    """Heads that announce others, without an end."""
    if message_of(got).get("method") != "tools/call":
        return None
    return [Repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, 1_000)]


@server_case
def large_reply_heads(got: Received) -> Script | None:
    """A head of 60 kB."""
    if message_of(got).get("method") != "tools/call":
        return None
    lines = "".join(f"X-{number}: {'y' * 100}\r\n" for number in range(500))
    return json_reply(got, b'{"resultType":"complete","content":[]}', headers=lines)


@server_case
def errors(got: Received) -> Script | None:
    """Errors with large data."""
    if message_of(got).get("method") != "tools/call":
        return None
    data = {"x": [1.5] * 200_000}
    error = {"code": -32000, "message": "no " * 1_000, "data": data}
    body = orjson.dumps({"jsonrpc": "2.0", "id": message_of(got)["id"], "error": error})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return [head.encode() + body]


@server_case
def input_requests(got: Received) -> Script | None:
    """A result that asks the client for many things."""
    if message_of(got).get("method") != "tools/call":
        return None
    one = {"method": "elicitation/create", "params": {"message": "x", "requestedSchema": {"type": "object"}}}
    asked = {f"q{number}": one for number in range(2_000)}
    return json_reply(got, orjson.dumps({"resultType": "input_required", "inputRequests": asked}))
