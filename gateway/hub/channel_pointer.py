"""Channel pointers, the moves that changed them, and the assignments of gateways to other channels.

Rule 1: a pointer can be rebuilt from the last move of its channel. The journal of moves is authoritative.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct

CHANNEL: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
RESERVED: Final = "emergency"
"""The name under which the stops are served; no channel may have it."""

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Label = Annotated[str, Meta(max_length=128)]
Labels = Annotated[dict[Label, Label], Meta(max_length=32)]
Because = Annotated[str, Meta(min_length=1, max_length=2048, pattern=r"\S")]


class Mark(Struct, frozen=True, kw_only=True):
    """One artifact that a channel points to or pointed to."""

    digest: str
    revision: str
    environment: str
    seq: int


class Move(Struct, frozen=True, kw_only=True, rename={"before": "from"}):
    """One change of a channel's pointer."""

    time: str
    """RFC 3339, UTC, to the millisecond."""
    channel: str
    before: Mark | None
    to: Mark
    by: str
    because: str


class Pointer(Struct, frozen=True, kw_only=True):
    """The artifact that a channel points to, since when, and why."""

    channel: str
    digest: str
    revision: str
    environment: str
    seq: int
    since: str
    by: str
    because: str

    @property
    def mark(self) -> Mark:
        """The artifact."""
        return Mark(digest=self.digest, revision=self.revision, environment=self.environment, seq=self.seq)


def arrived(move: Move) -> Pointer:
    """Return the pointer after the move."""
    return Pointer(
        channel=move.channel,
        digest=move.to.digest,
        revision=move.to.revision,
        environment=move.to.environment,
        seq=move.to.seq,
        since=move.time,
        by=move.by,
        because=move.because,
    )


def content_of(revision: str) -> str:
    """Return the revision without its number: it is equal for builds of the same files under different numbers."""
    return revision.rpartition(".")[0]


class Assignment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An assignment: gateways with all these labels that follow `instead_of` get `channel`."""

    channel: Name
    instead_of: Name
    labels: Annotated[dict[Label, Label], Meta(min_length=1, max_length=32)]


def assigned(channel: str, labels: Mapping[str, str], assignments: Iterable[Assignment]) -> str:
    """Return the channel for a gateway that requests `channel` and has these labels: the first match decides."""
    for each in assignments:
        if each.instead_of == channel and all(labels.get(name) == value for name, value in each.labels.items()):
            return each.channel
    return channel


def highest(moves: Iterable[Move], environment: str) -> Mark | None:
    """Return the artifact with the highest sequence number that a channel of the environment ever pointed to."""
    marks = [move.to for move in moves if move.to.environment == environment]
    return max(marks, key=lambda mark: mark.seq, default=None)
