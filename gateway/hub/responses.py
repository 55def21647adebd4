"""The hub's responses as values for its clients.

Rule 1: it imports no server code, so that commands start fast.
"""

from msgspec import Struct

from gateway.artifact.stops_bundle import Stop
from gateway.hub.channel_pointer import Mark, Pointer


class Uploaded(Struct, frozen=True, kw_only=True):
    """The response to an accepted upload."""

    digest: str
    revision: str
    seq: int


class ChannelList(Struct, frozen=True, kw_only=True):
    """The response to `GET /v1/channels`; `highest` is by environment: the next bundle needs a higher number."""

    channels: list[Pointer]
    highest: dict[str, Mark]


class Stopped(Stop, frozen=True, kw_only=True, omit_defaults=True):
    """The response to a new stop."""

    unborne: str = ""
    """A warning if no bundle in force lists the name, so that the stop may have no effect."""


class Standings(Struct, frozen=True, kw_only=True):
    """The response to `GET /v1/stops`: the active stops, and the revision of the bundle that contains them."""

    revision: str
    stops: list[Stop]
