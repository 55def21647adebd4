"""Who enforces a revision and who does not yet, as a value: the barrier that `publish --wait` stands at.

Rule 1: a gateway has confirmed only by saying that it enforces this very revision.
Rule 2: after a restart the hub says that nothing is complete until every live gateway had the time to speak.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.hub.fleet import LIVE_S, Seen

SETTLING_S: Final = LIVE_S


class Confirmed(Struct, frozen=True, kw_only=True):
    """A gateway that enforces the revision; milliseconds after the pointer moved, None where that was not seen."""

    gateway: str
    after_ms: int | None


class Pending(Struct, frozen=True, kw_only=True):
    """A live gateway that enforces something else, and what it says about that."""

    gateway: str
    enforces: str
    problem: str
    seen_s_ago: float


class Rollout(Struct, frozen=True, kw_only=True):
    """How far a revision has come among the live gateways of its channel."""

    revision: str
    channel: str
    in_force: str
    """What the channel points to now: another one where this revision was replaced meanwhile."""
    confirmed: tuple[Confirmed, ...]
    pending: tuple[Pending, ...]
    complete: bool


class Asked(Struct, frozen=True, kw_only=True):
    """The revision, its channel, and what the hub knows about their times (monotonic seconds)."""

    revision: str
    channel: str
    in_force: str
    moved: float | None
    settled: bool
    """False for a while after a restart."""


def rollout(asked: Asked, gateways: Iterable[Seen], now: float) -> Rollout:
    """How far the revision has come; `gateways` are the live ones of the channel."""
    ordered = sorted(gateways, key=lambda seen: seen.beat.gateway)
    confirmed = tuple(_confirmed(seen, asked) for seen in ordered if seen.beat.revision == asked.revision)
    pending = tuple(_pending(seen, now) for seen in ordered if seen.beat.revision != asked.revision)
    return Rollout(
        revision=asked.revision,
        channel=asked.channel,
        in_force=asked.in_force,
        confirmed=confirmed,
        pending=pending,
        complete=asked.settled and not pending and asked.in_force == asked.revision,
    )


def _confirmed(seen: Seen, asked: Asked) -> Confirmed:
    after = None if asked.moved is None or seen.since < asked.moved else round((seen.since - asked.moved) * 1000)
    return Confirmed(gateway=seen.beat.gateway, after_ms=after)


def _pending(seen: Seen, now: float) -> Pending:
    return Pending(
        gateway=seen.beat.gateway,
        enforces=seen.beat.revision,
        problem=seen.beat.problem,
        seen_s_ago=round(now - seen.at, 1),
    )
