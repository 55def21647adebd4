"""Refused callers, one record a source and second, however many come.

Rule 1: the first of a kind in a second is recorded at once; the others are counted, and recorded when it is over.
Rule 2: memory is bounded: sources beyond the capacity share one entry, whose source is `*`.
"""

from typing import Final

from msgspec import Struct

from gateway.admission.principal import Principal

CAPACITY: Final = 1024
OTHERS: Final = "*"
_SECOND_NS: Final = 1_000_000_000


class RefusedCallers(Struct, frozen=True, kw_only=True):
    """Refusals alike beyond the recorded first one: how many, in which second since the epoch."""

    source_ip: str
    server: str
    cause: str
    second: int
    count: int
    caller: Principal | None = None
    """Whose messages were refused, if the credential was good."""


class Aggregate:
    """Counts refusals by source, server, cause and caller within the current second."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._second = 0
        self._counts: dict[tuple[str, str, str, str], int] = {}
        self._callers: dict[str, Principal] = {}
        self._over: list[RefusedCallers] = []

    def first(self, source_ip: str, server: str, cause: str, unix_ns: int, *, caller: Principal | None = None) -> bool:
        """True where this refusal is to be recorded now; False where it was only counted."""
        self._turn(unix_ns // _SECOND_NS)
        key = (source_ip, server, cause, caller.key if caller else "")
        if key not in self._counts and len(self._counts) >= self._capacity:
            key = (OTHERS, "", cause, "")
        elif caller is not None:
            self._callers[caller.key] = caller
        known = key in self._counts
        self._counts[key] = self._counts.get(key, -1) + 1
        return not known

    def over(self, unix_ns: int) -> list[RefusedCallers]:
        """What was counted in seconds that are over; each is given once."""
        self._turn(unix_ns // _SECOND_NS)
        over, self._over = self._over, []
        return over

    def _turn(self, second: int) -> None:
        if second == self._second:
            return
        self._over += [
            RefusedCallers(
                source_ip=source,
                server=server,
                cause=cause,
                second=self._second,
                count=count,
                caller=self._callers.get(caller),
            )
            for (source, server, cause, caller), count in self._counts.items()
            if count
        ]
        del self._over[: -2 * self._capacity]
        self._second, self._counts, self._callers = second, {}, {}
