"""Whether a channel's pointer may move, as a value.

Rule 1: nothing goes back: the sequence numbers of an environment only grow, over all its channels. The artifact that
has the highest may be pointed to by further channels: that is how a canary is promoted.
Rule 2: whoever moves a pointer says what they think it points to; where somebody was faster, nothing moves.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.artifact.rejection import Rejected
from gateway.hub.channel_pointer import CHANNEL, RESERVED, Mark, Move, Pointer, highest

_LOOK: Final = "Look at the channel's history, and publish again from what is in force now."


class MoveRefused(Struct, frozen=True):
    """Why a pointer stays where it is, and what to do."""

    code: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}. {self.remedy}"


class MoveRequest(Struct, frozen=True, kw_only=True):
    """A move that somebody wants; `expected` is the digest that they think is in force, None for no pointer yet."""

    channel: str
    digest: str
    expected: str | None
    by: str
    because: str
    unix_ns: int


def unmovable(wanted: MoveRequest, mark: Mark, pointer: Pointer | None, moves: Sequence[Move]) -> MoveRefused | None:
    """Why this move may not be made; None where it may."""
    in_force = None if pointer is None else pointer.digest
    if in_force != wanted.expected:
        detail = f"{wanted.channel} points to {'nothing yet' if pointer is None else pointer.revision}"
        return MoveRefused("pointer_moved", f"somebody was faster: {detail}", _LOOK)
    if pointer is not None and pointer.environment != mark.environment:
        detail = f"{wanted.channel} is a channel of {pointer.environment}; this bundle is of {mark.environment}"
        return MoveRefused("bundle_of_other_environment", detail, "Publish it to a channel of its own environment.")
    top = highest(moves, mark.environment)
    if top is not None and mark.digest != top.digest and mark.seq <= top.seq:
        detail = f"its sequence number is {mark.seq}, and {top.revision} was published before"
        return MoveRefused("policy_regressed", detail, f"Build it again with a number above {top.seq}.")
    return None


def misnamed(channel: str) -> MoveRefused | None:
    """Why there can be no channel of this name; None where there can."""
    if channel == RESERVED:
        return MoveRefused("channel_name_invalid", f"{RESERVED} is where stops are served", "Choose another name.")
    if not CHANNEL.fullmatch(channel):
        remedy = "Write lower-case letters, digits, dots, dashes and underscores, such as production."
        return MoveRefused("channel_name_invalid", f"{channel!r} is no channel's name", remedy)
    return None


def rejected(rejection: Rejected) -> MoveRefused:
    """The rejection of an artifact, as the reason why nothing points to it."""
    return MoveRefused(rejection.code, str(rejection), "Build and sign it again.")
