"""What a worker has from its supervisor, and the world that it reads itself: clocks and randomness."""

import secrets as randomness
import time
from typing import Protocol

from gateway.pipeline.ports import Moment
from gateway.protocol.sealing import NONCE_BYTES


class Handed(Protocol):
    """A worker's number, OPA's socket (empty: an OPA that we do not own), and the keys that all workers share.

    `followed`: the supervisor follows the bundles, and says when they were confirmed.
    `counters`: the descriptor of the counters that all workers share; null in a process of its own.
    """

    @property
    def worker(self) -> int: ...
    @property
    def opa_socket(self) -> str: ...
    @property
    def sealing_keys(self) -> tuple[bytes, ...]: ...
    @property
    def digest_key(self) -> bytes: ...
    @property
    def followed(self) -> bool: ...
    @property
    def counters(self) -> int | None: ...


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> Moment:
        """Read both clocks."""
        return Moment(unix_ns=time.time_ns(), monotonic_ns=time.monotonic_ns())


class RandomIds:
    """Identifiers that nobody can guess."""

    def call_id(self) -> str:
        """Return 16 random bytes in hexadecimal."""
        return randomness.token_hex(16)

    def nonce(self) -> bytes:
        """Return a nonce for one seal."""
        return randomness.token_bytes(NONCE_BYTES)
