"""The client that a reply is for, with what its relay needs."""

from typing import Final

from msgspec import Struct

from gateway.admission.action import Answer
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call
from gateway.pipeline.loop_turns import TurnBudget
from gateway.server.asgi_exchange import AsgiExchange
from gateway.server.exchange_stats import ExchangeStats


class RelayLimits(Struct, frozen=True, kw_only=True):
    """What one reply may take."""

    result_bytes: int
    """A result that is read."""
    keep_alive_s: float
    """Silence on a stream before a comment is sent."""
    head_s: float = 2.0
    """How long a client that opens a stream waits for the server's head before it gets its own."""
    events: int = 200_000
    """Events of the reply to one request."""
    withheld: int = 50_000
    """Events among them that are not delivered."""
    growth: int = 16
    """Bytes that the client gets for each byte of the server: ids of events grow when they are sealed."""


GROWTH_FREE: Final = 1024 * 1024
"""Bytes that may be written before the growth counts."""
_PIECE: Final = 256 * 1024
"""Bytes that are digested at once: less than a slice of the loop."""


class Recipient:
    """One exchange's client; made for each reply."""

    def __init__(self, pipeline: Pipeline, edge: AsgiExchange, call: Call, limits: RelayLimits) -> None:
        """Take the client's side and the call that was admitted."""
        self.pipeline: Final = pipeline
        self.edge: Final = edge
        self.call: Final = call
        self.limits: Final = limits
        self.outcome: Final = ExchangeStats(pipeline.engine.parts.masking.key)

    async def told(self, answer: Answer, body: bytes, budget: TurnBudget) -> None:
        """Note what the client gets as the response, and the digest of its bytes, in pieces that share the loop."""
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
        """Whether the reply is over with the response: it is the reply to a request, not a stream that a GET opened."""
        return self.call.inbound.request_id is not None
