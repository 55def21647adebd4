"""Refused callers: at most one record for each source and second.

Rule 1: the first refusal of a kind in a second is recorded at once. The others are counted and recorded when the second
is over.
Rule 2: memory is bounded: sources beyond the capacity share one entry with the source `*`.
"""

from typing import Final

from msgspec import Struct

from gateway.admission.principal import Principal

CAPACITY: Final = 1024
OTHERS: Final = "*"
_SECOND_NS: Final = 1_000_000_000


class RefusedCallers(Struct, frozen=True, kw_only=True):
    """Equal refusals after the recorded first one: their number and their second since the epoch."""

    source_ip: str
    server: str
    cause: str
    second: int
    count: int
    caller: Principal | None = None
    """The caller whose messages were refused, if the credential was valid."""


class Aggregate:
    """Counter of refusals by source, server, cause and caller within the current second."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._second = 0
        self._counts: dict[tuple[str, str, str, str], int] = {}
        self._callers: dict[str, Principal] = {}
        self._over: list[RefusedCallers] = []

    def first(self, source_ip: str, server: str, cause: str, unix_ns: int, *, caller: Principal | None = None) -> bool:
        """Return True if this refusal must be recorded now, False if it was only counted."""
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
        """Return the counts of past seconds; each is returned once."""
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
