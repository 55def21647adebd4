"""Who enforces a revision and who does not yet, as a value: the barrier that `publish --wait` stands at.

Rule 1: a gateway has confirmed only by saying that it enforces this very revision.
Rule 2: after a restart the hub says that nothing is complete until every live gateway had the time to speak.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.hub.fleet import LIVE_S, Seen

SETTLING_S: Final = LIVE_S
_DIGITS: Final = 19
"""Of the longest number that a revision has."""


class EnforcementClaim(Struct, frozen=True, kw_only=True):
    """What one live gateway says that it enforces; times are monotonic seconds."""

    gateway: str
    enforces: str
    since: float
    problem: str
    at: float


class ConfirmedGateway(Struct, frozen=True, kw_only=True):
    """A gateway that enforces the revision; milliseconds after the pointer moved, None where that was not seen."""

    gateway: str
    after_ms: int | None


class Pending(Struct, frozen=True, kw_only=True):
    """A live gateway that enforces something else, and what it says about that."""

    gateway: str
    enforces: str
    problem: str
    seen_s_ago: float


class SilentGateway(Struct, frozen=True, kw_only=True):
    """A gateway that reported lately under a name that its token may not use."""

    gateway: str
    token: str


class Rollout(Struct, frozen=True, kw_only=True):
    """How far a revision has come among the live gateways of its channel."""

    revision: str
    channel: str
    in_force: str
    """What the channel points to now: another one where this revision was replaced meanwhile."""
    confirmed: tuple[ConfirmedGateway, ...]
    pending: tuple[Pending, ...]
    complete: bool
    unheard: tuple[SilentGateway, ...] = ()
    """Claims that do not count, and that somebody should look at."""


class RolloutQuery(Struct, frozen=True, kw_only=True):
    """The revision, its channel, and what the hub knows about their times (monotonic seconds)."""

    revision: str
    channel: str
    in_force: str
    moved: float | None
    settled: bool
    """False for a while after a restart."""


def rollout(asked: RolloutQuery, claims: Iterable[EnforcementClaim], now: float) -> Rollout:
    """How far the revision has come; `claims` are those of the live gateways of the channel."""
    ordered = sorted(claims, key=lambda claim: claim.gateway)
    pending = tuple(_pending(claim, now) for claim in ordered if claim.enforces != asked.revision)
    return Rollout(
        revision=asked.revision,
        channel=asked.channel,
        in_force=asked.in_force,
        confirmed=tuple(_confirmed(claim, asked) for claim in ordered if claim.enforces == asked.revision),
        pending=pending,
        complete=asked.settled and not pending and asked.in_force == asked.revision,
    )


def of_policy(seen: Seen) -> EnforcementClaim:
    """What a gateway says about the policy."""
    beat = seen.beat
    return EnforcementClaim(
        gateway=beat.gateway, enforces=beat.revision, since=seen.since, problem=beat.problem, at=seen.at
    )


def of_stops(seen: Seen, revision: str) -> EnforcementClaim:
    """What a gateway says about the stops; a later document has what an earlier one had, or somebody lifted it."""
    beat = seen.beat
    enforces = reached(beat.emergency, revision)
    return EnforcementClaim(
        gateway=beat.gateway, enforces=enforces, since=seen.stopped_since, problem=beat.problem, at=seen.at
    )


def reached(found: str, wanted: str) -> str:
    """The wanted revision where the one that was found has its number or a later one; otherwise the one found."""
    return wanted if 0 <= _number(wanted) <= _number(found) else found


def _number(revision: str) -> int:
    number = revision.rpartition(".")[2]
    return int(number) if number.isdecimal() and len(number) <= _DIGITS else -1


def _confirmed(claim: EnforcementClaim, asked: RolloutQuery) -> ConfirmedGateway:
    after = None if asked.moved is None or claim.since < asked.moved else round((claim.since - asked.moved) * 1000)
    return ConfirmedGateway(gateway=claim.gateway, after_ms=after)


def _pending(claim: EnforcementClaim, now: float) -> Pending:
    return Pending(
        gateway=claim.gateway, enforces=claim.enforces, problem=claim.problem, seen_s_ago=round(now - claim.at, 1)
    )
