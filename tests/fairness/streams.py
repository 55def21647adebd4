"""Cases: streams, of servers that say too much and of callers who come back for more."""

import orjson

from tests.fairness.attacker import Attacker
from tests.fairness.case import Reply, client_case, message_of, server_case, server_case_with
from tests.faults.wire import META
from tests.servers.scripted import Do, Received, Repeat, Script, Step, chunk

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def stream(piece: bytes, *, times: int = 10_000) -> Script:
    """Return an SSE answer that repeats a piece and never ends; each chunk holds many pieces."""
    block = piece * max(1, 262_144 // len(piece))
    return [HEAD, Repeat(chunk(block), times), Do.HANG]


def called(got: Received, *steps: Step) -> Script | None:
    """Return the script if a tool is called; other messages are answered as usual."""
    return list(steps) if message_of(got).get("method") == "tools/call" else None


def event(message: object) -> bytes:
    """Return an event with a message."""
    return b"data: " + orjson.dumps(message) + b"\n\n"


@server_case
def comments(got: Received) -> Script | None:
    """Comments."""
    return called(got, *stream(b":\n"))


@server_case
def long_comments(got: Received) -> Script | None:
    """Comments of a kilobyte."""
    return called(got, *stream(b":" + b"x" * 1_000 + b"\n"))


@server_case
def empty_events(got: Received) -> Script | None:
    """Empty lines and events without data."""
    return called(got, *stream(b"\nevent: x\n\n"))


@server_case
def tiny_events_with_ids(got: Received) -> Script | None:
    """Events that have an id and no data."""
    return called(got, *stream(b"id: 1\ndata:\n\n"))


@server_case
def retries(got: Received) -> Script | None:
    """Events that only set the time to reconnect."""
    return called(got, *stream(b"retry: 1\n\n"))


@server_case
def malformed_events(got: Received) -> Script | None:
    """Events that are not JSON."""
    return called(got, *stream(b"data: {\n\n"))


@server_case
def thirteen_thousand_bad_events(got: Received) -> Script | None:
    """13,000 events that are not JSON, and an end."""
    return called(got, HEAD, Repeat(chunk(b"data: x\n\n" * 1_000), 13), b"0\r\n\r\n")


@server_case
def heartbeats(got: Received) -> Script | None:
    """Events that are JSON and no messages."""
    return called(got, *stream(b'data: {"type":"heartbeat"}\n\n'))


@server_case
def lines_of_one_event(got: Received) -> Script | None:
    """One event of many short lines."""
    return called(got, *stream(b"data: 1\n"))


@server_case
def chunks_of_a_byte_in_an_answer(got: Received) -> Script | None:
    """A stream in chunks of a byte each."""
    return called(got, HEAD, Repeat((chunk(b":") + chunk(b"\n")) * 4_000, 100_000), Do.HANG)


@server_case
def log_messages(got: Received) -> Script | None:
    """Log notifications."""
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    return called(got, *stream(event(note)))


@server_case
def progress_storm(got: Received) -> Script | None:
    """Progress notifications."""
    note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
    return called(got, *stream(event(note)))


@server_case
def unknown_notifications(got: Received) -> Script | None:
    """Notifications that no revision has."""
    return called(got, *stream(event({"jsonrpc": "2.0", "method": "notifications/nothing"})))


@server_case
def list_changed_storm(got: Received) -> Script | None:
    """The news that the list of tools changed, again and again."""
    return called(got, *stream(event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})))


@server_case
def resource_updates(got: Received) -> Script | None:
    """The news that a resource changed."""
    params = {"uri": "note://x"}
    return called(
        got, *stream(event({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params}))
    )


def asking(method: str, params: object) -> Reply:
    """Return how a server answers that makes requests of its own without end."""
    piece = event({"jsonrpc": "2.0", "id": "s1", "method": method, "params": params})
    return lambda got: called(got, *stream(piece))


@server_case
def elicitation_storm(got: Received) -> Script | None:
    """Requests to ask the user for something."""
    return asking("elicitation/create", {"message": "x", "requestedSchema": {"type": "object", "properties": {}}})(got)


@server_case
def sampling_storm(got: Received) -> Script | None:
    """Requests to ask the client's model for something long."""
    content = {"role": "user", "content": {"type": "text", "text": "x" * 20_000}}
    return asking("sampling/createMessage", {"messages": [content], "maxTokens": 1})(got)


@server_case
def unknown_requests(got: Received) -> Script | None:
    """Requests that the gateway has to refuse itself."""
    return asking("nothing/at_all", {})(got)


@server_case
def responses_to_other_requests(got: Received) -> Script | None:
    """Responses to requests that the caller did not make."""
    return called(got, *stream(event({"jsonrpc": "2.0", "id": 77, "result": {}})))


@server_case
def lists_in_a_call(got: Received) -> Script | None:
    """Responses that look like lists."""
    tools = [{"name": f"t{number}", "inputSchema": {"type": "object"}} for number in range(50)]
    return called(got, *stream(event({"jsonrpc": "2.0", "id": 77, "result": {"tools": tools}})))


async def _reconnecting(attacker: Attacker) -> None:
    headers = await attacker.session()
    sent = attacker.head(b"", headers, verb="GET")
    await attacker.loops(16, lambda: attacker.unread(sent, hold_s=0.05))


@server_case_with(_reconnecting)
def reconnecting_streams(got: Received) -> Script | None:
    """GET streams that are opened and left."""
    return [HEAD, chunk(b"id: 1\ndata:\n\n"), Do.HANG] if got.verb == "GET" else None


async def _resuming(attacker: Attacker) -> None:
    headers = await attacker.session()

    async def resume() -> None:
        last = (("Last-Event-ID", f"{attacker.number():0200d}"),)
        await attacker.send(attacker.head(b"", (*headers, *last), verb="GET"))

    await attacker.loops(16, resume)


@server_case_with(_resuming)
def resumptions(got: Received) -> Script | None:
    """GET with ids of events that do not exist."""
    return [HEAD, b"0\r\n\r\n"] if got.verb == "GET" else None


async def _listening(attacker: Attacker) -> None:
    headers = await attacker.session()
    await attacker.loops(16, lambda: attacker.send(attacker.head(b"", headers, verb="GET")))


@server_case_with(_listening)
def news_on_get_streams(got: Received) -> Script | None:
    """The news that lists changed, on GET streams."""
    note = event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    return stream(note) if got.verb == "GET" else None


@client_case
async def subscriptions(attacker: Attacker) -> None:
    """Subscriptions of the modern era that are opened and left."""
    params = {"_meta": META, "notifications": {"toolsListChanged": True}}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params})
    sent = attacker.head(body) + body
    await attacker.loops(16, lambda: attacker.unread(sent, hold_s=0.02))
