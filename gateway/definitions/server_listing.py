"""One listing of a server: while its pages are read, and after all of them were read.

Rule 1: a name with two different definitions in one listing is ambiguous. Two equal definitions of a name are one.
Rule 2: a listing that was not read to its end is never stored.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Protocol, Self

from gateway.admission.listing import target_of
from gateway.definitions.interned import Interned
from gateway.definitions.presented_definition import PresentedDefinition
from gateway.pipeline.ports import Learned, ListTicket, ViewKey
from gateway.protocol.json_values import as_object


class ListingStore(Protocol):
    """The store of drafts and listings, which is the cache."""

    @property
    def interned(self) -> Interned: ...
    @property
    def most(self) -> int: ...
    def keep(self, draft: "Draft", cursor: str) -> None: ...
    def learn(self, draft: "Draft") -> Learned: ...


class Draft:
    """A listing whose pages are being read. It implements the pipeline's `ListingDraft`.

    As a context manager it releases its definitions at the end, unless the cache has stored them.
    """

    def __init__(self, shelf: ListingStore, view: ViewKey, method: str, ticket: ListTicket | None) -> None:
        """Take the store, the view and the list method. `ticket` is null for a listing that must not be learned."""
        self.view: Final = view
        self.method: Final = method
        self.ticket = ticket
        self.begun_s = 0.0
        """The time when its first page was read, in seconds of the cache's clock."""
        self.truncated = False
        """True if there were more names than are kept."""
        self.names: dict[str, PresentedDefinition | None] = {}
        self._shelf: Final = shelf
        self.reading = 0
        """The weight of the definitions that no other listing had when they were read."""

    def __enter__(self) -> Self:
        """Return the draft."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the definitions that the cache has not stored."""
        self.clear()

    def add(self, items: list[Any]) -> None:
        """Add entries of the list. An entry without a name or URI cannot be called and is left out."""
        for item in items:
            target, fields = target_of(self.method, item), as_object(item)
            if target is not None and fields is not None:
                before = self._shelf.interned.weight
                self._add(target.name or target.uri or "", fields)
                self._weigh(self._shelf.interned.weight - before)

    def presented(self, name: str) -> PresentedDefinition | None:
        """Return the definition of a name in the pages so far, or null if there is none or it is ambiguous."""
        return self.names.get(name)

    def keep(self, cursor: str) -> None:
        """Keep this listing for the page that will be requested with `cursor`."""
        self._shelf.keep(self, cursor)

    def learn(self) -> Learned:
        """Store the listing after its last page was read."""
        return self._shelf.learn(self)

    def continued(self) -> "Draft":
        """Return a draft that continues with the definitions of this one."""
        after = Draft(self._shelf, self.view, self.method, self.ticket)
        after.begun_s, after.truncated, after.names = self.begun_s, self.truncated, self.taken()
        return after

    def digest(self) -> bytes:
        """Return a digest of all names and definitions of the listing."""
        whole = sha256()
        for name in sorted(self.names):
            presentation = self.names[name]
            known = presentation.definition.sha256 if presentation else "ambiguous"
            whole.update(f"{len(name)} {name} {known}\n".encode(errors="surrogatepass"))
        return whole.digest()[:16]

    def taken(self) -> dict[str, PresentedDefinition | None]:
        """Return the definitions. The caller must release them from now on."""
        names, self.names = self.names, {}
        self._shelf.interned.reading -= self.reading
        self.reading = 0
        return names

    def clear(self) -> None:
        """Release the definitions."""
        release(self._shelf.interned, self.method, self.taken())

    def _weigh(self, more: int) -> None:
        self.reading += more
        self._shelf.interned.reading += more

    def _add(self, name: str, fields: Mapping[str, Any]) -> None:
        known = self.names.get(name)
        if name not in self.names and len(self.names) >= self._shelf.most:
            self.truncated = True
            return
        presentation = self._shelf.interned.hold(self.method, fields)
        if name not in self.names:
            self.names[name] = presentation
            return
        self._shelf.interned.release(self.method, presentation)
        if known is not None and known.definition.sha256 != presentation.definition.sha256:
            self._shelf.interned.release(self.method, known)
            self.names[name] = None


class ViewListing:
    """The content of one view for one list method: the last listing that was read to its end."""

    def __init__(self, draft: Draft, *, generation: tuple[int, int], session: bytes, at: float) -> None:
        """Take over the definitions of a draft, its news generation, its session, and the time when it was read."""
        self.digest: Final = draft.digest()
        self.truncated: Final = draft.truncated
        self.names: Final = draft.taken()
        self.method: Final = draft.method
        self.generation: Final = generation
        self.session: Final = session
        """Digest of the session that it was shown in."""
        self.at: Final = at
        """Time in seconds of the cache's clock."""


def release(interned: Interned, method: str, names: Mapping[str, PresentedDefinition | None]) -> None:
    """Release the definitions of a listing."""
    for presentation in names.values():
        if presentation is not None:
            interned.release(method, presentation)
