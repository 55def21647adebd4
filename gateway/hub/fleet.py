"""Which gateways there are, and what each enforces: what their heartbeats said, in memory.

Rule 1: a gateway that was not heard of for LIVE_S is not live; nobody waits for it, and its place is not kept for long.
Rule 2: a heartbeat is a claim of one who holds a gateway's token: it moves nothing, it is only shown.
Rule 3: where all places are taken, whoever has most of them makes room: one token's names crowd out nobody else's.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

from gateway.hub.channel_pointer import Labels, Name

LIVE_S: Final = 15.0
MOST: Final = 10_000

Revision = Annotated[str, Meta(max_length=256)]


class ReceivedHeartbeat(Struct, frozen=True, kw_only=True):
    """What a gateway says of itself."""

    gateway: Annotated[str, Meta(min_length=1, max_length=128)]
    labels: Labels = {}
    channel: Name
    """The channel that it asks for; its labels may give it another."""
    revision: Revision = ""
    """What all its workers enforce, as their decisions' provenance shows; empty while they differ."""
    emergency: Revision = ""
    problem: Annotated[str, Meta(max_length=4096)] = ""
    """Code and sentence of the bundle that it last refused; empty where it refused none since."""
    version: Annotated[str, Meta(max_length=64)] = ""


class Seen(Struct, frozen=True, kw_only=True):
    """A gateway's last heartbeat; times are monotonic seconds."""

    beat: ReceivedHeartbeat
    at: float
    by: str
    """The name of the token."""
    since: float
    """When it first said that it enforces this revision."""
    stopped_since: float
    """When it first said so of this emergency revision."""


class Fleet:
    """Not to be shared between threads."""

    def __init__(self) -> None:
        self._seen: Final[dict[str, Seen]] = {}

    def hear(self, beat: ReceivedHeartbeat, now: float, by: str = "") -> bool:
        """Take a heartbeat of the token `by`; False where there are more gateways than a hub keeps in mind."""
        before = self._seen.get(beat.gateway)
        if before is None and not self._room(now, by):
            return False
        same = before is not None and before.beat.revision == beat.revision
        stopped = before is not None and before.beat.emergency == beat.emergency
        self._seen[beat.gateway] = Seen(
            beat=beat,
            at=now,
            by=by,
            since=before.since if before is not None and same else now,
            stopped_since=before.stopped_since if before is not None and stopped else now,
        )
        return True

    def live(self, now: float) -> Iterator[Seen]:
        """The gateways heard of in the last LIVE_S."""
        return (seen for seen in self._seen.values() if now - seen.at <= LIVE_S)

    @property
    def all(self) -> Mapping[str, Seen]:
        """Every gateway that is kept in mind."""
        return self._seen

    def _room(self, now: float, by: str) -> bool:
        if len(self._seen) >= MOST:
            for name in [name for name, seen in self._seen.items() if now - seen.at > LIVE_S]:
                del self._seen[name]
        return len(self._seen) < MOST or self._made_room(by)

    def _made_room(self, by: str) -> bool:
        """Whether the token with most names, had it two more than this one, has given up its newest."""
        counts = Counter(seen.by for seen in self._seen.values())
        ((largest, most),) = counts.most_common(1)
        if most < counts[by] + 2:
            return False
        del self._seen[next(name for name in reversed(self._seen) if self._seen[name].by == largest)]
        return True
