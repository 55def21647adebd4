"""What one view shows under one list method: entries by name, as far as its pages were read.

Rule 1: a name that one listing presents in two ways is ambiguous, and stays so until the entry ages or is forgotten.
Rule 2: entries of pages that were read earlier stand until they age: pages of two readers may come in any order.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.definitions.interned import Interned
from gateway.definitions.presentation import Presentation


class Entry(Struct, frozen=True):
    """A presentation under its name; null where it is ambiguous."""

    presentation: Presentation | None
    session: bytes
    """Digest of the session that it was shown in."""
    at: float


class Page(Struct, frozen=True, kw_only=True):
    """One page of a listing, as it was read."""

    items: Iterable[tuple[str, Mapping[str, Any]]]
    first: bool
    last: bool
    session: bytes
    at: float
    """When it was read, in seconds of a clock that only goes forward."""


class Shown:
    """The entries of one list method in one view."""

    def __init__(self, method: str, interned: Interned, *, generation: int, most: int) -> None:
        """Take what is listed, where presentations are held, and how many names are kept at most."""
        self.generation: Final = generation
        self.begun: float | None = None
        """When the first page of a listing was read last."""
        self.completed: float | None = None
        """When a listing that was read from its first page was read to its last."""
        self.varied = False
        """Whether another session was shown another definition."""
        self.entries: Final[dict[str, Entry]] = {}
        self._method: Final = method
        self._interned: Final = interned
        self._most: Final = most
        self._reading: dict[str, str] = {}

    def read(self, page: Page) -> None:
        """Take in a page."""
        if page.first:
            self.begun = page.at
            self._reading = {}
        for name, item in page.items:
            if name in self.entries or len(self.entries) < self._most:
                self._take(name, self._interned.hold(self._method, item), page)
        if page.last and self.begun is not None:
            self.completed = page.at

    def drop(self, name: str) -> None:
        """Forget one name."""
        entry = self.entries.pop(name, None)
        if entry is not None and entry.presentation is not None:
            self._interned.release(self._method, entry.presentation)

    def clear(self) -> None:
        """Forget every name."""
        for name in list(self.entries):
            self.drop(name)

    def _take(self, name: str, presentation: Presentation, page: Page) -> None:
        digest = presentation.definition.sha256
        known = self.entries.get(name)
        if known is not None and known.presentation is not None:
            differs = known.presentation.definition.sha256 != digest
            self.varied = self.varied or (differs and known.session != page.session)
        ambiguous = self._reading.setdefault(name, digest) != digest
        if ambiguous or (known is not None and known.presentation is None):
            self._interned.release(self._method, presentation)
            self._replace(name, Entry(None, page.session, known.at if known and not known.presentation else page.at))
        else:
            self._replace(name, Entry(presentation, page.session, page.at))

    def _replace(self, name: str, entry: Entry) -> None:
        self.drop(name)
        self.entries[name] = entry
