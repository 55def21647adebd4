"""The served channels: one offering for each channel, and the channel that a gateway gets for its labels.

Rule 1: a channel serves the artifact that the pointer on disk names. It is served after the pointer has moved, never
before.
Rule 2: if a gateway's assigned channel points to nothing yet, the gateway keeps the channel that it requested.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from gateway.follow.bundle_endpoint import Offer, Offering
from gateway.hub.channel_pointer import Assignment, Pointer, assigned

MOST: Final = 256
"""Maximum number of channels of one hub."""


class HubChannel(Struct, kw_only=True):
    """One channel while the hub runs."""

    pointer: Pointer
    offering: Offering
    moved: float | None = None
    """Monotonic time of its last move; None if it has not moved since the hub started."""


class Channels:
    """The channels and assignments of a running hub; not thread-safe."""

    def __init__(self, assignments: Sequence[Assignment] = ()) -> None:
        self.all: Final[dict[str, HubChannel]] = {}
        self.assignments: Sequence[Assignment] = assignments

    def load(self, pointer: Pointer, content: bytes) -> None:
        """Serve the artifact that the pointer named before the hub started."""
        self.all[pointer.channel] = _channel(pointer, content)

    def put(self, pointer: Pointer, content: bytes) -> None:
        """Serve the pointer's artifact from now on."""
        channel = self.all.get(pointer.channel)
        if channel is None:
            self.all[pointer.channel] = _channel(pointer, content)
            self._wake()  # gateways assigned to it are waiting on another channel
        else:
            channel.offering.put(_offer(pointer, content))
        self.all[pointer.channel].pointer = pointer
        self.all[pointer.channel].moved = time.monotonic()

    def assign(self, assignments: Sequence[Assignment]) -> None:
        """Apply these assignments from now on, also to open long polls."""
        self.assignments = assignments
        self._wake()

    def of(self, name: str, labels: Mapping[str, str]) -> HubChannel | None:
        """Return the channel for a gateway that requests `name`; None if there is none."""
        return self.all.get(assigned(name, labels, self.assignments)) or self.all.get(name)

    def contents(self) -> list[bytes]:
        """Return the bundles in force, without duplicates."""
        offers = (channel.offering.offer for channel in self.all.values())
        return [*{offer.etag: offer.content for offer in offers if offer is not None}.values()]

    def close(self) -> None:
        """End all open long polls."""
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
