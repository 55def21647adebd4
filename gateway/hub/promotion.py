"""The decision whether a channel's pointer may move, as a value.

Rule 1: a channel never goes back: the sequence numbers of an environment only grow, over all its channels. Further
channels may point to the artifact with the highest number; this is how a canary is promoted.
Rule 2: a request to move a pointer names the digest that the caller expects there. If the pointer has changed in the
meantime, it does not move.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.artifact.rejection import Rejected
from gateway.hub.channel_pointer import CHANNEL, RESERVED, Mark, Move, Pointer, highest

_LOOK: Final = "Look at the channel's history, and publish again on top of the current bundle."


class MoveRefused(Struct, frozen=True):
    """The reason why a pointer does not move, and the remedy."""

    code: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}. {self.remedy}"


class MoveRequest(Struct, frozen=True, kw_only=True):
    """A requested move; `expected` is the digest that the caller believes is in force, None if the channel is new."""

    channel: str
    digest: str
    expected: str | None
    by: str
    because: str
    unix_ns: int


def unmovable(wanted: MoveRequest, mark: Mark, pointer: Pointer | None, moves: Sequence[Move]) -> MoveRefused | None:
    """Return why this move is refused; None if it is allowed."""
    in_force = None if pointer is None else pointer.digest
    if in_force != wanted.expected:
        detail = f"{wanted.channel} points to {'nothing yet' if pointer is None else pointer.revision}"
        return MoveRefused("pointer_moved", f"the pointer has changed in the meantime: {detail}", _LOOK)
    if pointer is not None and pointer.environment != mark.environment:
        detail = f"{wanted.channel} is a channel of {pointer.environment}; this bundle is of {mark.environment}"
        return MoveRefused("bundle_of_other_environment", detail, "Publish it to a channel of its own environment.")
    top = highest(moves, mark.environment)
    if top is not None and mark.digest != top.digest and mark.seq <= top.seq:
        detail = f"its sequence number {mark.seq} is not above that of {top.revision}, which was published before"
        return MoveRefused("policy_regressed", detail, f"Build it again with a number above {top.seq}.")
    return None


def misnamed(channel: str) -> MoveRefused | None:
    """Return why a channel cannot have this name; None if it can."""
    if channel == RESERVED:
        detail = f"the name {RESERVED} is reserved for stops"
        return MoveRefused("channel_name_invalid", detail, "Choose another name.")
    if not CHANNEL.fullmatch(channel):
        remedy = "Use up to 63 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit, such as production."
        return MoveRefused("channel_name_invalid", f"{channel!r} is not a valid channel name", remedy)
    return None


def rejected(rejection: Rejected) -> MoveRefused:
    """Return the rejection of an artifact as the refusal of a move to it."""
    return MoveRefused(rejection.code, str(rejection), "Build and sign it again.")
