"""External ends of an exchange: its client disconnected, policy now refuses it, or its credential expired.

Rule 1: the first cause counts. Later ones change nothing.
"""

import asyncio
from typing import Final

from gateway.admission.refusal import STOPPED, Refusal
from gateway.pipeline.call import Call
from gateway.server.asgi_exchange import AsgiExchange

_LONGEST_S: Final = 30 * 86_400.0
"""Maximum seconds of a timer. A stream that lasts longer is closed then."""


class Termination:
    """The end of one exchange, which runs in `task`."""

    def __init__(self, task: asyncio.Task[None] | None, edge: AsgiExchange) -> None:
        """Take the task, and the client's side of the exchange."""
        self._task: Final = task
        self._edge: Final = edge
        self.reason = ""
        """The outcome for the record. It is empty until something ends the exchange."""
        self.detail = ""
        self.refusal: Refusal | None = None
        """Why policy ended a call."""

    def __call__(self) -> None:
        """End the exchange because the client disconnected."""
        self._end("client_gone")

    def close(self) -> None:
        """End a stream because policy refuses it."""
        self._end("closed")

    def refuse(self, refusal: Refusal) -> None:
        """End a call because policy refuses it. Do nothing if its answer is already being written."""
        if self.reason or self._edge.answering:
            return
        self.refusal = refusal
        self.detail = _words(refusal)
        self._end(STOPPED)

    def expire(self) -> None:
        """End a stream because its credential has expired."""
        if not self.reason:
            self.detail = "the credential expired"
        self._end("closed")

    def expiring(self, call: Call) -> asyncio.TimerHandle | None:
        """Return the timer that ends a stream with its credential, or null if only the bundle knows the expiry."""
        until = call.inbound.until
        if until is None:
            return None
        left_s = until - call.begun.unix_ns / 1e9
        return asyncio.get_running_loop().call_later(min(max(left_s, 0), _LONGEST_S), self.expire)

    def _end(self, reason: str) -> None:
        if not self.reason and self._task is not None:
            self.reason = reason
            self._task.cancel()


def _words(refusal: Refusal) -> str:
    """Return the failed requirements, and the decision whose record has the reasons, without secrets."""
    why = ", ".join(reason.requirement for reason in refusal.reasons)
    return f"{why} (decision {refusal.decision_id})" if refusal.decision_id else why
