"""The known gateways and what each enforces, as reported by their heartbeats, in memory.

Rule 1: a gateway without a heartbeat for LIVE_S is not live. Rollouts do not wait for it, and its entry is dropped when
space is needed.
Rule 2: a heartbeat is a claim by the holder of a gateway's token. It changes no channel; it is only displayed.
Rule 3: when the list is full, the token with the most entries gives one up, so that one token cannot displace the
gateways of other tokens.
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
    """The heartbeat that a gateway sends."""

    gateway: Annotated[str, Meta(min_length=1, max_length=128)]
    labels: Labels = {}
    channel: Name
    """The requested channel; an assignment by labels may select another."""
    revision: Revision = ""
    """The revision that all its workers enforce, from the provenance of their decisions; empty while they differ."""
    emergency: Revision = ""
    problem: Annotated[str, Meta(max_length=4096)] = ""
    """Code and message of the bundle that it last rejected; empty if it has accepted one since."""
    version: Annotated[str, Meta(max_length=64)] = ""


class Seen(Struct, frozen=True, kw_only=True):
    """A gateway's last heartbeat; times are monotonic seconds."""

    beat: ReceivedHeartbeat
    at: float
    by: str
    """The name of the token."""
    since: float
    """Time of the first heartbeat that reported this policy revision."""
    stopped_since: float
    """Time of the first heartbeat that reported this emergency revision."""


class Fleet:
    """The last heartbeat of each gateway; not thread-safe."""

    def __init__(self) -> None:
        self._seen: Final[dict[str, Seen]] = {}

    def hear(self, beat: ReceivedHeartbeat, now: float, by: str = "") -> bool:
        """Record a heartbeat sent with the token `by`; return False if the list of gateways is full."""
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
        """Return the gateways with a heartbeat in the last LIVE_S."""
        return (seen for seen in self._seen.values() if now - seen.at <= LIVE_S)

    @property
    def all(self) -> Mapping[str, Seen]:
        """All recorded gateways."""
        return self._seen

    def _room(self, now: float, by: str) -> bool:
        if len(self._seen) >= MOST:
            for name in [name for name, seen in self._seen.items() if now - seen.at > LIVE_S]:
                del self._seen[name]
        return len(self._seen) < MOST or self._made_room(by)

    def _made_room(self, by: str) -> bool:
        """Remove the newest entry of the token with the most; return False if it has fewer than two more than `by`."""
        counts = Counter(seen.by for seen in self._seen.values())
        ((largest, most),) = counts.most_common(1)
        if most < counts[by] + 2:
            return False
        del self._seen[next(name for name in reversed(self._seen) if self._seen[name].by == largest)]
        return True
