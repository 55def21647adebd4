"""Result of a readiness probe, as a value that a worker sends to the supervisor.

Rule 1: this module imports no client code, because the supervisor, which sends OPA no queries, reads it too.
"""

from typing import Literal

from msgspec import Struct

Staleness = Literal["fresh", "soft", "hard"]


class Readiness(Struct, frozen=True, kw_only=True):
    """Result of the last probe; ready when nothing is missing."""

    missing: tuple[str, ...]
    revision: str = ""
    emergency: str = ""
    """Revision of the stops."""
    not_after: str = ""
    """When the policy in force expires, RFC 3339; empty if it never does or if that is unknown."""
    policy_age_s: float = 0
    """Seconds since the policy was last confirmed as current."""
    staleness: Staleness = "fresh"
    problem: str = ""
    """The reason why OPA could not activate the newest bundle; the last good one stays in force."""
    library_problem: str = ""
    """Weakness of the policy's stock library compared with this gateway's."""
    observe: bool = False
    """True while the policy only observes: it refuses nothing except by the six requirements that always bind."""
