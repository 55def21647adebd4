"""A worker's inputs from its supervisor, and its own sources of time and randomness."""

import secrets as randomness
import time
from typing import Final, Protocol

from gateway.pipeline.ports import Moment
from gateway.protocol.sealing import NONCE_BYTES


class WorkerContext(Protocol):
    """A worker's number, OPA's socket (empty: an external OPA), and the keys that all workers share.

    `followed`: the supervisor follows the bundles, and reports when they were confirmed.
    `counters`: the descriptor of the counters that all workers share; null without a supervisor.
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


_ID_BYTES: Final = 16
_BLOCK: Final = 256
"""Call ids in one block of random bytes."""


class RandomIds:
    """Source of unpredictable identifiers.

    Call ids are cut from a block of random bytes, and each is used once: reading random bytes releases the GIL, so that
    another thread may run first.
    """

    def __init__(self) -> None:
        """Start without a block: each worker reads its own after its start, so that no two workers share ids."""
        self._unused: Final[list[str]] = []

    def call_id(self) -> str:
        """Return 16 random bytes in hexadecimal."""
        if not self._unused:
            block = randomness.token_hex(_ID_BYTES * _BLOCK)
            self._unused.extend([block[at : at + 2 * _ID_BYTES] for at in range(0, len(block), 2 * _ID_BYTES)])
        return self._unused.pop()

    def nonce(self) -> bytes:
        """Return a nonce for one seal."""
        return randomness.token_bytes(NONCE_BYTES)
