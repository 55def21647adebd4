"""What was learned last under each list of each view, and which changes the other workers are notified of.

Rule 1: a listing that differs from the one before raises this worker's counter, so that the others list again.
Rule 2: a server whose list differs each time must not keep all workers listing: beyond `CHANGES` in `WINDOW_S` seconds
the rest is notified together at the end of that time.
"""

from collections import OrderedDict
from typing import Final

from msgspec import Struct

CHANGES: Final = 5
WINDOW_S: Final = 10.0
_REMEMBERED: Final = 20_000

Key = tuple[str, str, str, bytes, str]
"""Server, credential, revision, digest of the session if listings vary by it, list method."""


class _Last(Struct, frozen=True):
    digest: bytes
    order: int


class LastListings:
    """The digest and the order of the last listing under each key, bounded."""

    def __init__(self) -> None:
        """Begin with none."""
        self._last: Final[OrderedDict[Key, _Last]] = OrderedDict()
        self._floors: Final[dict[str, int]] = {}
        self._floor = 0

    def newest(self, key: Key) -> int:
        """Return the order of the newest listing that is known under a key; an older one is not learned any more."""
        last = self._last.get(key)
        return max(self._floor, self._floors.get(key[0], 0), last.order if last else 0)

    def replaced(self, key: Key, digest: bytes, order: int) -> bool:
        """Remember a listing, and return whether it differs from the one before it."""
        before = self._last.pop(key, None)
        self._last[key] = _Last(digest, order)
        while len(self._last) > _REMEMBERED:
            _, dropped = self._last.popitem(last=False)
            self._floor = max(self._floor, dropped.order)
        return before is not None and before.digest != digest

    def outdated(self, server: str, order: int) -> None:
        """Take no listing of a server that was asked for as early as `order`, under whatever key."""
        self._floors[server] = max(self._floors.get(server, 0), order)


class _Window:
    __slots__ = ("begun", "count")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.count = 0


class ChangeLimit:
    """How often changes of each list are notified."""

    def __init__(self) -> None:
        """Begin with none."""
        self._windows: Final[dict[tuple[str, str], _Window]] = {}
        self.held_back: Final[set[tuple[str, str]]] = set()
        """The servers and methods whose changes were held back."""

    def allows(self, server: str, method: str, now_s: float) -> bool:
        """Return whether to notify the other workers of a change now; if not, `due` does it later."""
        key = (server, method)
        window = self._windows.get(key)
        if window is None or now_s - window.begun >= WINDOW_S:
            window = self._windows[key] = _Window(now_s)
        window.count += 1
        if window.count > CHANGES:
            self.held_back.add(key)
            return False
        self.held_back.discard(key)
        return True

    def overdue(self, now_s: float) -> list[tuple[str, str]]:
        """Return the servers and methods whose changes were held back for long enough."""
        return [key for key in self.held_back if now_s - self._windows[key].begun >= WINDOW_S]

    def due(self, server: str, method: str, now_s: float) -> bool:
        """Return, once, whether the changes that were held back are to be notified."""
        key = (server, method)
        if key not in self.held_back or now_s - self._windows[key].begun < WINDOW_S:
            return False
        self.held_back.remove(key)
        del self._windows[key]
        return True
