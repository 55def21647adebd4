"""What one beat of OPA's pulse found, as a value that travels to the supervisor.

Rule 1: it imports nothing of a client: the supervisor, which asks OPA nothing, reads it too.
"""

from typing import Literal

from msgspec import Struct

Staleness = Literal["fresh", "soft", "hard"]


class Readiness(Struct, frozen=True, kw_only=True):
    """What the last beat found; ready when nothing is missing."""

    missing: tuple[str, ...]
    revision: str = ""
    emergency: str = ""
    """Revision of the stops."""
    not_after: str = ""
    """When the policy in force ends, RFC 3339; empty where it never does, or where that is not known."""
    policy_age_s: float = 0
    """Since the policy was last confirmed to be the right one."""
    staleness: Staleness = "fresh"
    problem: str = ""
    """Why OPA could not take the newest bundle; the last good one stays in force."""
    library_problem: str = ""
    """What the stock library of the policy in force does worse than this gateway's."""
    observe: bool = False
    """True while the policy observes and refuses nothing but the six requirements that always bind."""
