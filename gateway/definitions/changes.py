"""The last listing of each view and list, and the changes that are reported to the other workers.

Rule 1: a listing that differs from the previous one increments this worker's counter, so that the others list again.
Rule 2: a server whose list differs each time must not keep all workers busy. Beyond `CHANGES` in `WINDOW_S` seconds,
the other changes are reported together at the end of that time.
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
    """A limited memory of the digest and the order of the last listing under each key."""

    def __init__(self) -> None:
        """Start without listings."""
        self._last: Final[OrderedDict[Key, _Last]] = OrderedDict()
        self._floors: Final[dict[str, int]] = {}
        self._floor = 0

    def newest(self, key: Key) -> int:
        """Return the order of the newest known listing under a key. An older one is no longer learned."""
        last = self._last.get(key)
        return max(self._floor, self._floors.get(key[0], 0), last.order if last else 0)

    def replaced(self, key: Key, digest: bytes, order: int) -> bool:
        """Remember a listing, and return whether it differs from the previous one."""
        before = self._last.pop(key, None)
        self._last[key] = _Last(digest, order)
        while len(self._last) > _REMEMBERED:
            _, dropped = self._last.popitem(last=False)
            self._floor = max(self._floor, dropped.order)
        return before is not None and before.digest != digest

    def outdated(self, server: str, order: int) -> None:
        """Ignore all listings of a server that were requested at `order` or earlier, under any key."""
        self._floors[server] = max(self._floors.get(server, 0), order)


class _Window:
    __slots__ = ("begun", "count")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.count = 0


class ChangeLimit:
    """Limit on how often changes of each list are reported."""

    def __init__(self) -> None:
        """Start without changes."""
        self._windows: Final[dict[tuple[str, str], _Window]] = {}
        self.held_back: Final[set[tuple[str, str]]] = set()
        """The servers and methods whose changes were held back."""

    def allows(self, server: str, method: str, now_s: float) -> bool:
        """Return whether to report a change to the other workers now. If not, `due` does it later."""
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
        """Return, once, whether held-back changes must be reported now."""
        key = (server, method)
        if key not in self.held_back or now_s - self._windows[key].begun < WINDOW_S:
            return False
        self.held_back.remove(key)
        del self._windows[key]
        return True
