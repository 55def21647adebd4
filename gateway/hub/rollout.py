"""The rollout of a revision, as a value: which gateways enforce it and which do not yet; `publish --wait` polls it.

Rule 1: a gateway counts as confirmed only if it reports exactly this revision.
Rule 2: after a restart, the hub reports no rollout as complete until every live gateway has had time to report.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from gateway.hub.fleet import LIVE_S, Seen

SETTLING_S: Final = LIVE_S
_DIGITS: Final = 19
"""Maximum digits of the number in a revision."""


class EnforcementClaim(Struct, frozen=True, kw_only=True):
    """The revision that one live gateway reports as enforced; times are monotonic seconds."""

    gateway: str
    enforces: str
    since: float
    problem: str
    at: float


class ConfirmedGateway(Struct, frozen=True, kw_only=True):
    """A gateway that enforces the revision; milliseconds after the pointer moved, None if the move was not observed."""

    gateway: str
    after_ms: int | None


class Pending(Struct, frozen=True, kw_only=True):
    """A live gateway that enforces another revision, and its reported problem."""

    gateway: str
    enforces: str
    problem: str
    seen_s_ago: float


class SilentGateway(Struct, frozen=True, kw_only=True):
    """A gateway that recently reported under a name that its token may not use."""

    gateway: str
    token: str


class Rollout(Struct, frozen=True, kw_only=True):
    """The progress of a revision among the live gateways of its channel."""

    revision: str
    channel: str
    in_force: str
    """The revision that the channel points to now; differs if this revision was replaced in the meantime."""
    confirmed: tuple[ConfirmedGateway, ...]
    pending: tuple[Pending, ...]
    complete: bool
    unheard: tuple[SilentGateway, ...] = ()
    """Refused reports, which do not count; the operator should check them."""


class RolloutQuery(Struct, frozen=True, kw_only=True):
    """The revision, its channel, and the time when the channel moved to it (monotonic seconds)."""

    revision: str
    channel: str
    in_force: str
    moved: float | None
    settled: bool
    """False for a short time after a restart."""


def rollout(asked: RolloutQuery, claims: Iterable[EnforcementClaim], now: float) -> Rollout:
    """Return the progress of the revision; `claims` are those of the live gateways of the channel."""
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
    """Return a gateway's claim about its policy."""
    beat = seen.beat
    return EnforcementClaim(
        gateway=beat.gateway, enforces=beat.revision, since=seen.since, problem=beat.problem, at=seen.at
    )


def of_stops(seen: Seen, revision: str) -> EnforcementClaim:
    """Return a gateway's claim about its stops; a later revision also has the earlier stops that were not lifted."""
    beat = seen.beat
    enforces = reached(beat.emergency, revision)
    return EnforcementClaim(
        gateway=beat.gateway, enforces=enforces, since=seen.stopped_since, problem=beat.problem, at=seen.at
    )


def reached(found: str, wanted: str) -> str:
    """Return `wanted` if `found` has the same number or a later one; otherwise `found`."""
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
