"""The open streams of a worker: counted, limited, and decided again when the policy changes (DESIGN section 5).

Rule 1: a stream is closed if the policy in force refuses it or cannot be asked about it.
Rule 2: there is a limit for each caller and one for all. A stream over a limit is refused. No stream is closed for a
newer one.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from gateway.admission.decision import Verdict
from gateway.admission.principal import Principal
from gateway.pipeline import Pipeline
from gateway.pipeline.call import Call

_AGAIN_NS: Final = 60_000_000_000
"""Maximum time that a stream stands on one answer. Credentials, agents and rules expire without a new revision."""


CallerOf = Callable[[Principal, str], str]
"""Return the caller that a principal at an address counts as."""


def _by_principal(principal: Principal, _source_ip: str) -> str:
    return principal.key


class StreamLimits(Struct, frozen=True, kw_only=True):
    """Maximum open streams of one caller, and of all."""

    per_principal: int
    total: int


class Stream:
    """One open stream, and the function that closes it."""

    __slots__ = ("asked_ns", "call", "caller", "close", "standing")

    def __init__(self, call: Call, close: Callable[[], None], caller: str) -> None:
        """Take the call that opened the stream, and the caller that it counts for. `close` ends it at once."""
        self.call: Final = call
        self.caller: Final = caller
        self.close: Final = close
        self.standing = call.answer.standing if isinstance(call.answer, Verdict) else ""
        """The revisions of policy and stops that permit it."""
        self.asked_ns = call.begun.monotonic_ns
        """The time of the last question about it."""


class Streams:
    """All open streams of this worker."""

    def __init__(self, limits: StreamLimits, caller_of: CallerOf = _by_principal) -> None:
        """Start without streams. `caller_of` names the caller that a principal at an address counts as."""
        self._limits: Final = limits
        self._caller_of: Final = caller_of
        self._open: Final[set[Stream]] = set()
        self._by_caller: Final[Counter[str]] = Counter()

    def __len__(self) -> int:
        """Return the number of open streams."""
        return len(self._open)

    def begin(self, call: Call, close: Callable[[], None]) -> Stream | None:
        """Register a stream. Return null if its caller or the worker has too many."""
        caller = self._caller_of(call.inbound.principal, call.inbound.source_ip)
        if len(self._open) >= self._limits.total or self._by_caller[caller] >= self._limits.per_principal:
            return None
        stream = Stream(call, close, caller)
        self._open.add(stream)
        self._by_caller[caller] += 1
        return stream

    def end(self, stream: Stream) -> None:
        """Forget a stream. It is safe to call this twice."""
        if stream not in self._open:
            return
        self._open.remove(stream)
        self._by_caller[stream.caller] -= 1
        if not self._by_caller[stream.caller]:
            del self._by_caller[stream.caller]

    def close(self) -> None:
        """Close all streams, because the worker is about to end."""
        for stream in tuple(self._open):
            stream.close()

    async def revise(self, pipeline: Pipeline) -> int:
        """Ask again about streams whose answer is outdated or a minute old, and return how many were closed."""
        closed = 0
        for stream in tuple(self._open):
            standing, now_ns = pipeline.engine.parts.policy.standing, pipeline.engine.parts.clock.now().monotonic_ns
            recent = stream.standing == standing and now_ns - stream.asked_ns < _AGAIN_NS
            if stream not in self._open or recent:
                continue
            if await pipeline.stands(stream.call) is not None:
                stream.close()
                closed += 1
            stream.standing, stream.asked_ns = standing, now_ns
        return closed
