"""The client that gets a reply, with the data that the relay needs."""

from typing import Final

from msgspec import Struct

from gateway.admission.action import Answer
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call
from gateway.pipeline.loop_turns import TurnBudget
from gateway.server.asgi_exchange import AsgiExchange
from gateway.server.exchange_stats import ExchangeStats


class RelayLimits(Struct, frozen=True, kw_only=True):
    """The limits of one reply."""

    result_bytes: int
    """Maximum bytes of a result that is read."""
    keep_alive_s: float
    """Seconds of silence on a stream before a comment is sent."""
    head_s: float = 2.0
    """Seconds that a client that opens a stream waits for the server's head before it gets the gateway's own."""
    events: int = 200_000
    """Maximum events in the reply to one request."""
    withheld: int = 50_000
    """Maximum withheld events among them."""
    growth: int = 16
    """Maximum bytes for the client per byte of the server, because the ids of events grow when they are sealed."""


GROWTH_FREE: Final = 1024 * 1024
"""Bytes that may be written before the growth counts."""
_PIECE: Final = 256 * 1024
"""Bytes that are digested at a time: less than a slice of the loop."""


class Recipient:
    """The client of one exchange, created for each reply."""

    def __init__(self, pipeline: Pipeline, edge: AsgiExchange, call: Call, limits: RelayLimits) -> None:
        """Take the client's side and the admitted call."""
        self.pipeline: Final = pipeline
        self.edge: Final = edge
        self.call: Final = call
        self.limits: Final = limits
        self.outcome: Final = ExchangeStats(pipeline.engine.parts.masking.key)

    async def told(self, answer: Answer, body: bytes, budget: TurnBudget) -> None:
        """Note the client's response, and compute the digest of its bytes in pieces that share the loop."""
        self.outcome.told(answer)
        if answer.result is None:
            return
        if len(body) <= _PIECE:
            self.outcome.digest.add(body)
            return
        view = memoryview(body)
        for begin in range(0, len(view), _PIECE):
            await budget.pause()
            self.outcome.digest.add(view[begin : begin + _PIECE])

    @property
    def answers_one(self) -> bool:
        """Return whether the reply ends with the response. It does not if a GET opened the stream."""
        return self.call.inbound.request_id is not None
