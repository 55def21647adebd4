"""The chunks of a stream, with a callback for pauses."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from gateway.pipeline.ports import Reply, UpstreamFailure


async def paced(
    reply: Reply, patience_s: Callable[[], float], quiet: Callable[[], Awaitable[None]]
) -> AsyncGenerator[bytes | UpstreamFailure]:
    """Yield the reply's chunks, and await `quiet` whenever no chunk arrives for `patience_s` seconds."""
    chunks = aiter(reply.chunks())
    waiting: asyncio.Future[bytes | UpstreamFailure] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(chunks))
            done, _ = await asyncio.wait({waiting}, timeout=patience_s())
            if not done:
                await quiet()
                continue
            chunk, waiting = waiting.result(), None
            yield chunk
    except StopAsyncIteration:
        return
    finally:
        if waiting is not None:
            waiting.cancel()
