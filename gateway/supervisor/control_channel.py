"""The control channel between supervisor and worker: a socket pair that carries complete, typed messages.

Rule 1: the end of the channel means that the other side has ended; no other liveness signal is needed.
Rule 2: a message that does not match its type ends the channel.
"""

import asyncio
import socket
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from gateway.opa.readiness_report import Readiness
from gateway.protocol.ownership_exchange import Claim, Held

_LENGTH: Final = 4
LARGEST: Final = 32 * 1024 * 1024


class Start(Struct, tag=True, frozen=True, kw_only=True):
    """The supervisor's first message: everything that a worker needs."""

    settings: bytes
    worker: int
    opa_socket: str
    sealing_keys: tuple[bytes, ...]
    digest_key: bytes
    followed: bool = False
    """True if the supervisor follows the bundles, and reports when they were confirmed."""
    counters: int | None = None
    """The inherited descriptor of the counters that all workers share."""

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors that this message names."""
        return () if self.counters is None else (self.counters,)


About = Literal["readiness", "samples", "claim"]


class Ask(Struct, tag=True, frozen=True):
    """A question to a worker, answered by one `Told` with the same number."""

    number: int
    about: About
    claim: Claim | None = None
    """The claim of another worker, if the question is about a claim."""


class Answered(Struct, tag=True, frozen=True):
    """The answer to a worker's `Claimed` with the same number; null if one of the other workers gave none."""

    number: int
    held: Held | None = None


class Drain(Struct, tag=True, frozen=True):
    """Accept no more connections, finish the running calls, then end."""


class WorkerHeartbeat(Struct, tag=True, frozen=True):
    """OPA has activated a bundle: enforce it now, and report it."""


class PolicyConfirmed(Struct, tag=True, frozen=True):
    """The time (wall, nanoseconds) at which this policy was confirmed to be the current one."""

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
    """The policy and the stops that the worker enforces from now on."""

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
    """One end; `send` never waits, `receive` returns None when the channel has ended."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, message: ToWorker | ToSupervisor) -> None:
        """Queue a message; it is dropped if the other side is gone."""
        content = _ENCODER.encode(message)
        if not self._writer.is_closing():
            self._writer.write(len(content).to_bytes(_LENGTH, "big") + content)

    async def receive(self) -> bytes | None:
        """Return the next message's bytes; None if the other side is gone or sent an invalid length."""
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
