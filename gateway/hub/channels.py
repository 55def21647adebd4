"""What is served to whom: one offering a channel, and which channel a gateway with its labels is given.

Rule 1: what is offered is what the pointer on the disk says; it is offered after the pointer has moved, never before.
Rule 2: a gateway whose assigned channel points to nothing yet goes on with the channel that it asked for.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from gateway.follow.bundle_endpoint import Offer, Offering
from gateway.hub.channel_pointer import Assignment, Pointer, assigned

MOST: Final = 256
"""Channels of one hub."""


class HubChannel(Struct, kw_only=True):
    """One channel while the hub runs."""

    pointer: Pointer
    offering: Offering
    moved: float | None = None
    """Monotonic time of its last move; None where it was moved before the hub started."""


class Channels:
    """Not to be shared between threads."""

    def __init__(self, assignments: Sequence[Assignment] = ()) -> None:
        self.all: Final[dict[str, HubChannel]] = {}
        self.assignments: Sequence[Assignment] = assignments

    def load(self, pointer: Pointer, content: bytes) -> None:
        """Serve what the pointer pointed to before the hub started."""
        self.all[pointer.channel] = _channel(pointer, content)

    def put(self, pointer: Pointer, content: bytes) -> None:
        """Serve what the pointer points to from now on."""
        channel = self.all.get(pointer.channel)
        if channel is None:
            self.all[pointer.channel] = _channel(pointer, content)
            self._wake()  # gateways that are assigned to it were held on another one
        else:
            channel.offering.put(_offer(pointer, content))
        self.all[pointer.channel].pointer = pointer
        self.all[pointer.channel].moved = time.monotonic()

    def assign(self, assignments: Sequence[Assignment]) -> None:
        """Use these assignments from now on, also for those who are held."""
        self.assignments = assignments
        self._wake()

    def of(self, name: str, labels: Mapping[str, str]) -> HubChannel | None:
        """The channel that one who asks for `name` is given; None where there is none."""
        return self.all.get(assigned(name, labels, self.assignments)) or self.all.get(name)

    def contents(self) -> list[bytes]:
        """The bundles in force, each once."""
        offers = (channel.offering.offer for channel in self.all.values())
        return [*{offer.etag: offer.content for offer in offers if offer is not None}.values()]

    def close(self) -> None:
        """Let go of everyone who is held."""
        for channel in self.all.values():
            channel.offering.close()

    def _wake(self) -> None:
        for channel in self.all.values():
            channel.offering.wake()


def _channel(pointer: Pointer, content: bytes) -> HubChannel:
    offering = Offering()
    offering.put(_offer(pointer, content))
    return HubChannel(pointer=pointer, offering=offering)


def _offer(pointer: Pointer, content: bytes) -> Offer:
    return Offer(f'"{pointer.digest}"', content)
