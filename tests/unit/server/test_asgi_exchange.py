"""One exchange with a client: reading its body and noticing a disconnect."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from gateway.server.asgi_exchange import AsgiExchange, BodyIncomplete, BodyTooLarge, ByteLimitReached


def _edge(events: list[Message]) -> AsgiExchange:
    async def receive() -> Message:
        return events.pop(0)

    async def send(_: Message) -> None:
        return

    return AsgiExchange({"type": "http"}, receive, send)


async def _body(pieces: list[bytes], limit: int) -> bytes | BodyIncomplete | BodyTooLarge | ByteLimitReached:
    last = len(pieces) - 1
    events: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": place < last} for place, piece in enumerate(pieces)
    ]
    return await _edge(events).body(limit, lambda _: True)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=6), st.integers(0, 24))
def test_a_body_is_complete_in_any_number_of_pieces(pieces: list[bytes], limit: int) -> None:
    body = b"".join(pieces)
    want = body if len(body) <= limit else BodyTooLarge(limit)
    assert asyncio.run(_body(pieces, limit)) == want


async def test_a_closed_edge_does_not_report_a_client_that_leaves() -> None:
    left, waits, gone = list[str](), asyncio.Event(), asyncio.Event()

    async def receive() -> Message:
        waits.set()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        return

    edge = AsgiExchange({"type": "http"}, receive, send)
    edge.watch(lambda: left.append("gone"))
    await waits.wait()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    gone.set()  # as a server does when the answer is written
    await edge.close()
    await asyncio.wait(others)
    assert (left, edge.gone) == ([], False)
    assert all(task.cancelled() for task in others)


async def test_a_client_that_leaves_after_the_whole_answer_does_not_count_as_gone() -> None:
    sent, left, answer_sent = list[Message](), list[str](), asyncio.Event()

    async def receive() -> Message:
        await answer_sent.wait()
        return {"type": "http.disconnect"}

    async def send(event: Message) -> None:
        sent.append(event)
        if not event.get("more_body", True):
            answer_sent.set()  # as a server does when the answer is written

    edge = AsgiExchange({"type": "http"}, receive, send)
    edge.watch(lambda: left.append("gone"))
    await edge.start(200, ())
    await edge.write(b"a", more=True)
    await edge.write(b"b", more=False)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(others)
    await edge.write(b"", more=False)
    assert (left, edge.gone) == ([], False)
    assert [event.get("body") for event in sent] == [None, b"a", b"b"]


async def test_a_watch_has_ended_when_an_edge_without_the_end_of_its_answer_is_closed() -> None:
    """It moves the deadline of its connection when it ends, and the listener sets that after the exchange."""
    steps = list[str]()

    async def receive() -> Message:
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            steps.append("the watch ended")

    async def send(_: Message) -> None:
        return

    edge = AsgiExchange({"type": "http"}, receive, send)
    edge.watch(lambda: None)
    await asyncio.sleep(0)  # noqa: TID251 - the watch begins
    await edge.start(200, ())
    edge.abort()
    await edge.close()
    assert steps == ["the watch ended"]
