"""What the hub answers, as values that whoever calls it reads; light, so that commands start fast.

Rule 1: it imports nothing that serves.
"""

from msgspec import Struct

from gateway.artifact.emergency_bundle import Stop
from gateway.hub.channel_pointer import Mark, Pointer


class Uploaded(Struct, frozen=True, kw_only=True):
    """The answer to an upload that was taken."""

    digest: str
    revision: str
    seq: int


class ChannelList(Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/channels`; `highest` is by environment: what is published next is above it."""

    channels: list[Pointer]
    highest: dict[str, Mark]


class Stopped(Stop, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a stop that was made."""

    unborne: str = ""
    """That nothing in force bears the name, so that it may stop nothing."""


class Standings(Struct, frozen=True, kw_only=True):
    """The answer to `GET /v1/stops`: what has not ended, and the revision of the bundle that says so."""

    revision: str
    stops: list[Stop]
