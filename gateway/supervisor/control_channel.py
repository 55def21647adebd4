"""The control channel between supervisor and worker: a socket pair that carries whole, typed messages.

Rule 1: its end is the end of the other side; there is no other lifeline and none is needed.
Rule 2: what cannot be read as a message of its type ends the channel.
"""

import asyncio
import socket
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from gateway.opa.readiness_report import Readiness
from gateway.protocol.ownership_claims import Claim, Held

_LENGTH: Final = 4
LARGEST: Final = 32 * 1024 * 1024


class Start(Struct, tag=True, frozen=True, kw_only=True):
    """The supervisor's first message: everything a worker works with."""

    settings: bytes
    worker: int
    opa_socket: str
    sealing_keys: tuple[bytes, ...]
    digest_key: bytes
    followed: bool = False
    """True where the supervisor follows the bundles, and says when they were confirmed."""
    counters: int | None = None
    """The inherited descriptor of the counters that all workers share."""

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors that it names."""
        return () if self.counters is None else (self.counters,)


About = Literal["readiness", "samples", "claim"]


class Ask(Struct, tag=True, frozen=True):
    """A question to a worker, answered by one `Told` with the same number."""

    number: int
    about: About
    claim: Claim | None = None
    """What another worker wants to know, if the question is about a claim."""


class Answered(Struct, tag=True, frozen=True):
    """The answer to a worker's `Claimed` with the same number; null if one of the other workers gave none."""

    number: int
    held: Held | None = None


class Drain(Struct, tag=True, frozen=True):
    """Take no more connections, let calls under way finish, then end."""


class WorkerHeartbeat(Struct, tag=True, frozen=True):
    """OPA has taken a bundle into force: enforce it now, and say so."""


class PolicyConfirmed(Struct, tag=True, frozen=True):
    """At this time (wall, nanoseconds) this policy was confirmed to be the one to enforce."""

    unix_ns: int
    revision: str


class Started(Struct, tag=True, frozen=True):
    """The worker accepts connections."""


class Told(Struct, tag=True, frozen=True, kw_only=True):
    """A worker's answer."""

    number: int
    readiness: Readiness | None = None
    samples: bytes | None = None
    held: Held | None = None


class Claimed(Struct, tag=True, frozen=True):
    """A worker's question to the other workers, answered by one `Answered` with the same number."""

    number: int
    claim: Claim


class Enforces(Struct, tag=True, frozen=True):
    """The worker decides by this policy and these stops from now on."""

    revision: str
    emergency: str


class ForwardedEvent(Struct, tag=True, frozen=True):
    """A line for the supervisor's log."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


ToWorker = Start | Ask | Answered | WorkerHeartbeat | PolicyConfirmed | Drain
ToSupervisor = Started | Told | Claimed | Enforces | ForwardedEvent

_ENCODER: Final = msgspec.msgpack.Encoder()
TO_WORKER: Final[msgspec.msgpack.Decoder[ToWorker]] = msgspec.msgpack.Decoder(ToWorker)
TO_SUPERVISOR: Final[msgspec.msgpack.Decoder[ToSupervisor]] = msgspec.msgpack.Decoder(ToSupervisor)


class ControlChannel:
    """One end; `send` never waits, `receive` returns None at the end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: ToWorker | ToSupervisor) -> None:
        """Queue a message; to an other side that is gone it goes nowhere."""
        content = _ENCODER.encode(message)
        if not self._writer.is_closing():
            self._writer.write(len(content).to_bytes(_LENGTH, "big") + content)

    async def receive(self) -> bytes | None:
        """Return the next message's bytes, None when the other side is gone or talks nonsense."""
        try:
            size = int.from_bytes(await self._reader.readexactly(_LENGTH), "big")
            return await self._reader.readexactly(size) if size <= LARGEST else None
        except (asyncio.IncompleteReadError, OSError):
            return None

    def close(self) -> None:
        """End the channel."""
        self._writer.close()


async def opened(end: socket.socket) -> ControlChannel:
    """Return the channel over one end of a socket pair."""
    return ControlChannel(*await asyncio.open_connection(sock=end))
