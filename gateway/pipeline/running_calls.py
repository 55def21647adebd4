"""Calls and tasks that run upstream on a permit, and are ended when policy refuses them.

Policy is asked again when a stop, a new policy or the expiry of a credential may refuse them.

Rule 1: a running call, a drained answer and a task of an upstream are ended when they are refused.
Rule 2: a call is asked about by its own question, as of now, at the gateway's expense, and `_AT_ONCE` at a time.
Callers take turns, so that the calls of one caller do not delay the end of another's.
Rule 3: if policy does not answer, nothing is ended at once. The call is asked about again until OPA answers, and ended
after `_PATIENCE_NS`, because a call that cannot be judged must not continue.
Rule 4: a refusal is recorded before the call is ended. A journal that fails or hangs does not keep the call running.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from gateway.admission.action import Forward, again
from gateway.admission.decision import PolicyFailure, Reason, Verdict
from gateway.admission.refusal import STOPPED, Refusal, stopped
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Engine, posted
from gateway.pipeline.ports import Reply, UpstreamFailure
from gateway.protocol.message import Request

_NS: Final = 1_000_000_000
_AT_ONCE: Final = 4
_AGAIN_NS: Final = 10 * _NS
"""Maximum time that a call runs on one answer. Agents and rules expire without a new revision."""
_PATIENCE_NS: Final = 10 * _NS
"""Maximum time that a call runs while OPA gives no answer about it. A restart of OPA takes about a second."""
_LEEWAY_NS: Final = 30 * _NS
"""Time after its expiry in which a token still opens new calls. A call opened then may run as long."""
_RECORD_S: Final = 1.0
_EXPIRED: Final = Refusal(
    code=STOPPED,
    reasons=(Reason(requirement="credential_expired", message="the credential expired", severity="high"),),
    stage="ended",
)
_DRAIN_S: Final = 65.0
"""Longer than the drain of any reply."""

_DRAINS: Final = 1_000
_OWN_DRAINS: Final = 128
"""Maximum answers of one caller that are drained at a time. Each uses a connection of the shared pool."""
KEPT_BYTES: Final = 32 * 1024 * 1024
"""Maximum bytes of the messages kept for drained answers, and the same for tasks."""

T = TypeVar("T")


class UpstreamExchange:
    """One exchange that runs upstream on the permit of `call`. `end` ends it at once and must not raise."""

    __slots__ = ("again_ns", "asked_ns", "call", "end", "expires_ns", "standing", "unsure_ns")

    def __init__(self, call: Call, end: Callable[[Refusal], None], *, again_ns: int = _AGAIN_NS) -> None:
        """Take the decided call. It is asked about again at most `again_ns` after each answer."""
        self.call: Final = call
        self.end: Final = end
        self.again_ns: Final = again_ns
        self.standing = call.answer.standing if isinstance(call.answer, Verdict) else ""
        """The revisions of policy and stops that permit it."""
        self.asked_ns = call.begun.monotonic_ns
        self.unsure_ns = 0
        """The time since which OPA gives no answer about it, or 0."""
        self.expires_ns = _expiry_ns(call)
        """The expiry of its credential (wall time in nanoseconds), or null if the gateway cannot know it."""

    def expired(self, unix_ns: int) -> bool:
        """Return whether its credential has expired."""
        return self.expires_ns is not None and unix_ns >= self.expires_ns


class DrainedReply(NamedTuple):
    """An answer that the upstream continues to send, and the timer that forgets it.

    A timer holds the message of its call, so it is canceled when the drain ends.
    """

    reply: Reply
    timer: asyncio.TimerHandle


class RunningCalls:
    """All exchanges of one worker that run upstream and may have to be ended."""

    def __init__(self, engine: Engine) -> None:
        """Start without exchanges."""
        self._engine: Final = engine
        self._open: Final[dict[UpstreamExchange, None]] = {}
        self._background: Final[set[asyncio.Task[None]]] = set()
        self._drains: Final[dict[UpstreamExchange, DrainedReply]] = {}

    def __len__(self) -> int:
        """Return the number of exchanges."""
        return len(self._open)

    def begin(self, call: Call, end: Callable[[Refusal], None]) -> UpstreamExchange:
        """Register a call that is about to be sent."""
        return self.keep(UpstreamExchange(call, end))

    def keep(self, exchange: UpstreamExchange) -> UpstreamExchange:
        """Register a running exchange."""
        self._open[exchange] = None
        return exchange

    def finish(self, exchange: UpstreamExchange) -> None:
        """Forget a finished exchange. It is safe to call this twice."""
        self._open.pop(exchange, None)

    async def during(self, call: Call, work: Awaitable[T]) -> T | Refusal:
        """Return the result of the gateway's own exchange, or why it was ended."""
        ended: list[Refusal] = []
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as scope:

                def end(refusal: Refusal) -> None:
                    ended.append(refusal)
                    scope.reschedule(loop.time())

                exchange = self.begin(call, end)
                try:
                    return await work
                finally:
                    self.finish(exchange)
        except TimeoutError:
            if not ended:
                raise
            self.cancel(call)
            return ended[0]

    def drain(self, call: Call, reply: Reply) -> None:
        """Register an answer that the upstream continues to send after its client has left.

        The memory is limited: the oldest drains are forgotten, and end by the limits of a drain. If a caller has too
        many, its oldest drain is ended at once.
        """

        def end(_: Refusal) -> None:
            self._drained(exchange)
            self.spawn(reply.close(drain=False))
            self.cancel(call)

        exchange = self.begin(call, end)
        timer = asyncio.get_running_loop().call_later(_DRAIN_S, self._drained, exchange)
        self._drains[exchange] = DrainedReply(reply, timer)
        self._end_excess(call.inbound.principal.key)
        while len(self._drains) > _DRAINS or sum(size_of(one.call) for one in self._drains) > KEPT_BYTES:
            self._drained(next(iter(self._drains)))

    def _end_excess(self, caller: str) -> None:
        drains = [(one, drain) for one, drain in self._drains.items() if one.call.inbound.principal.key == caller]
        for exchange, drain in drains[:-_OWN_DRAINS]:
            self._drained(exchange)
            self.spawn(drain.reply.close(drain=False))

    def _drained(self, exchange: UpstreamExchange) -> None:
        drain = self._drains.pop(exchange, None)
        if drain is not None:
            drain.timer.cancel()
        self.finish(exchange)

    def cancel(self, call: Call) -> None:
        """Notify a legacy upstream that a request is canceled. A modern one notices that its stream is closed."""
        request = call.inbound.message
        untold = call.inbound.era == "modern" or call.inbound.method.name == "initialize"
        if call.permit is None or untold or not isinstance(request, Request):
            return
        params = {"requestId": request.id, "reason": "stopped by policy"}
        body = orjson.dumps({"jsonrpc": "2.0", "method": _CANCELED, "params": params})
        message = posted(call.inbound, subject=call.permit.outbound.subject, body=body)
        self.post(call, _CANCELED, again(call.permit, message))

    def post(self, call: Call, method: str, forward: Forward) -> None:
        """Send one of the gateway's own messages on the permit of `call` in the background, and count it."""
        self._engine.counts.add(call.inbound.server, method, "gateway")
        self.spawn(self.posted(forward))

    async def posted(self, forward: Forward) -> None:
        """Send one of the gateway's own messages, and ignore the server's answer."""
        reply = await self._engine.parts.upstream.send(forward)
        if not isinstance(reply, UpstreamFailure):
            await reply.finish()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end, independently of the exchange that it belongs to."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def revise(self) -> int:
        """Ask again about every exchange that may be refused by now, and return the number of ended ones."""
        due = self._due()
        if not due:
            return 0
        before, turns = len(self._open), iter(due)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(due))):
                group.create_task(self._asked(turns, group))
        return max(0, before - len(self._open))

    def _due(self) -> list[UpstreamExchange]:
        """Return the exchanges to ask about: first those that only have to be ended, then calls, then tasks."""
        now, standing = self._engine.parts.clock.now(), self._engine.parts.policy.standing
        before: Counter[str] = Counter()
        due: list[tuple[bool, int, int, UpstreamExchange]] = []
        for exchange in self._open:
            expired = exchange.expired(now.unix_ns)
            old = now.monotonic_ns - exchange.asked_ns >= exchange.again_ns
            if expired or old or exchange.standing != standing:
                caller = exchange.call.inbound.principal.key
                due.append((not expired, exchange.again_ns, before[caller], exchange))
                before[caller] += 1
        return [exchange for *_, exchange in sorted(due, key=itemgetter(0, 1, 2))]

    async def _asked(self, turns: Iterator[UpstreamExchange], group: asyncio.TaskGroup) -> None:
        for exchange in turns:
            if exchange in self._open:
                await self._again(exchange, group)

    async def _again(self, exchange: UpstreamExchange, group: asyncio.TaskGroup) -> None:
        parts = self._engine.parts
        now = parts.clock.now()
        if exchange.expired(now.unix_ns):
            self._end(exchange, _EXPIRED)
            return
        call = await self._engine.asked_again(exchange.call)
        if isinstance(call.answer, PolicyFailure):
            exchange.unsure_ns = exchange.unsure_ns or now.monotonic_ns
            if now.monotonic_ns - exchange.unsure_ns < _PATIENCE_NS:
                return
        elif call.answer is not None:
            exchange.unsure_ns, exchange.asked_ns, exchange.standing = 0, now.monotonic_ns, call.answer.standing
        outcome = self._engine.outcome(call)
        if isinstance(outcome, Refusal) and exchange in self._open:
            group.create_task(self._refused(exchange, call, outcome))  # a journal that hangs must not delay other calls

    async def _refused(self, exchange: UpstreamExchange, call: Call, refusal: Refusal) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_RECORD_S):
                    await self._engine.record_refusal(call, refusal)
        finally:
            self._end(exchange, stopped(refusal))

    def _end(self, exchange: UpstreamExchange, refusal: Refusal) -> None:
        if exchange in self._open:
            self.finish(exchange)
            exchange.end(refusal)


def size_of(call: Call) -> int:
    """Return the bytes of the message that is kept with a call."""
    return len(call.inbound.message.raw) if call.inbound.message is not None else 0


def _expiry_ns(call: Call) -> int | None:
    """Return the expiry of a call's credential. A credential that expired just before the call gets the leeway."""
    until = call.inbound.until
    if until is None:
        return None
    ends = int(until * _NS)
    return ends if call.begun.unix_ns < ends else ends + _LEEWAY_NS


_CANCELED: Final = "notifications/cancelled"
