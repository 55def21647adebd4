"""The views of one worker: the definitions of each upstream for each credential and protocol revision.

Rule 1: a listing is learned as a whole, and only if no news of the server's list arrived since it was requested.
Rule 2: news of any worker, and `list_changed`, end all views of the list at once. So does the maximum age.
Rule 3: sessions share a view until two of them are shown different lists. Then each has its own for an hour.
Rule 4: the most recently read views are kept, within the bounds.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from msgspec import Struct

from gateway.admission.listing import LISTED_BY, LISTS
from gateway.admission.policy_input import Target
from gateway.definitions.changes import ChangeLimit, Key, LastListings
from gateway.definitions.interned import Interned
from gateway.definitions.presented_definition import PresentedDefinition
from gateway.definitions.server_listing import Draft, ViewListing, release
from gateway.definitions.templates import literal_length, matches
from gateway.definitions.unfinished_listings import OpenDrafts
from gateway.pipeline.ports import Counters, Learned, ListTicket, ViewKey

VARIES_S: Final = 3_600.0
RELIST_S: Final = 10.0
"""For this long, a name that a listing lacks does not exist. After that, an unknown name causes another listing."""
_TEMPLATES: Final = "resources/templates/list"


class CacheBounds(Struct, frozen=True, kw_only=True):
    """The limits of the views of a worker."""

    entries: int = 50_000
    """Maximum names in all views together."""
    names: int = 10_000
    """Maximum names in one listing of one view. Further ones are not seen."""
    weight: int = 64 * 1024 * 1024
    """Approximate maximum bytes of all definitions together."""


class DefinitionCache:
    """The cache of definitions that upstreams present. It implements the pipeline's `PresentationCache`."""

    def __init__(
        self,
        counters: Counters,
        *,
        max_age_s: float,
        bounds: CacheBounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the counters that all workers share, the maximum age of listings, and a monotonic clock in seconds."""
        self.interned: Final = Interned()
        self._counters: Final = counters
        self._max_age_s: Final = max_age_s
        self._bounds: Final = bounds or CacheBounds()
        self._clock: Final = clock
        self._shown: Final[OrderedDict[Key, ViewListing]] = OrderedDict()
        self._drafts: Final = OpenDrafts()
        self._entries = 0
        self._order = 0
        self._learned = 0
        """The order of the newest listing that was learned."""
        self._forgotten: Final[dict[tuple[str, str], int]] = {}
        self._varying: Final[dict[str, float]] = {}
        self._last: Final = LastListings()
        self._changes: Final = ChangeLimit()

    @property
    def most(self) -> int:
        """Return the maximum names in one listing."""
        return self._bounds.names

    def seen(self, view: ViewKey, target: Target) -> PresentedDefinition | None:
        """Return the definition of a target, or null if it was not seen, has aged, or is ambiguous."""
        if target.type == "resource":
            return self._resource(view, target.uri or "")
        for method in LISTED_BY.get(target.type, ()):
            presentation = self._entry(view, method, target.name or "")
            if presentation is not None:
                return presentation
        return None

    def ambiguous(self, view: ViewKey, target: Target) -> bool:
        """Return whether the server presents a target in two ways at once."""
        name = target.name or target.uri or ""
        methods = LISTED_BY.get(target.type, ())
        return any(self._holds(view, method, name) and self._entry(view, method, name) is None for method in methods)

    def fresh(self, view: ViewKey, method: str) -> bool:
        """Return whether this session read the whole list a moment ago. A name that it lacks does not exist then."""
        shown = self._current(view, method)
        if shown is None or shown.truncated or shown.session != _digest(view.session):
            return False
        return self._clock() - shown.at < RELIST_S

    def notify(self) -> None:
        """Notify the other workers of changes that were held back because a list changed too often."""
        for server, method in self._changes.overdue(self._clock()):
            self.generation(server, method)

    def generation(self, server: str, method: str) -> tuple[int, int]:
        """Return the news of a list so far: of the other workers, and of this one."""
        name = f"{method} {server}"
        if self._changes.held_back and self._changes.due(server, method, self._clock()):
            self._counters.increment(name)
        return self._counters.others(name), self._forgotten.get((server, method), 0)

    def ticket(self, server: str, method: str) -> ListTicket:
        """Return the ticket of a list request. It shows later whether news of the list arrived since now."""
        self._order += 1
        return ListTicket(generation=self.generation(server, method), order=self._order)

    def draft(self, view: ViewKey, method: str, ticket: ListTicket | None, cursor: str = "") -> Draft:
        """Begin to read a page: the first one, or the one that continues the listing that led to `cursor`."""
        if not cursor or ticket is None:
            return self._begun(view, method, ticket)
        draft = self._drafts.take(view, method, cursor, self._clock())
        if draft is None:
            return self._begun(view, method, None)
        if draft.ticket is None or draft.ticket.generation != ticket.generation:
            draft.ticket = None
        return draft

    def keep(self, draft: Draft, cursor: str) -> None:
        """Keep the pages of a listing until the next one arrives."""
        if draft.ticket is not None:
            self._drafts.keep(draft.continued(), cursor, self._clock())
            self._make_room()

    def learn(self, draft: Draft) -> Learned:
        """Store a listing that was read to its end, unless something newer is known."""
        ticket, method, server = draft.ticket, draft.method, draft.view.server
        if ticket is None or ticket.generation != self.generation(server, method):
            return "stale"
        key, session = self._key(draft.view, method), _digest(draft.view.session)
        if ticket.order <= self._last.newest(key):
            return "stale"
        fits = draft.reading <= self._bounds.weight
        before = self._current(draft.view, method)
        varies = before is not None and before.session != session and before.digest != draft.digest()
        if varies:
            self._separate(server, ticket.order - 1)
            key = self._key(draft.view, method)
        if key in self._shown:
            self._discard(key)
        self._learned = max(self._learned, ticket.order)
        shown = ViewListing(draft, generation=ticket.generation, session=session, at=self._clock())
        self._shown[key] = shown
        self._entries += len(shown.names)
        changed = self._last.replaced(key, shown.digest, ticket.order) or varies
        if changed and self._changes.allows(server, method, self._clock()):
            self._counters.increment(f"{method} {server}")
        if not fits:
            self._discard(key)
        self._make_room()
        if key not in self._shown:
            return "too_large"
        return "truncated" if shown.truncated else "learned"

    def forget(self, server: str, method: str) -> None:
        """Forget a server's lists in all workers. `method` is a `list_changed` notification or a list method."""
        kind = method.removeprefix("notifications/").partition("/")[0]
        for listed in LISTS:
            if listed.startswith(f"{kind}/"):
                self._forgotten[server, listed] = self._forgotten.get((server, listed), 0) + 1
                self._counters.increment(f"{listed} {server}")

    def _begun(self, view: ViewKey, method: str, ticket: ListTicket | None) -> Draft:
        draft = Draft(self, view, method, ticket)
        draft.begun_s = self._clock()
        return draft

    def _resource(self, view: ViewKey, uri: str) -> PresentedDefinition | None:
        """Return the resource itself, a template with that exact text, or the most specific matching template."""
        for method in ("resources/list", _TEMPLATES):
            found = self._entry(view, method, uri)
            if found is not None or self._holds(view, method, uri):
                return found
        return self._expanded(view, uri) if self._current(view, "resources/list") else None

    def _expanded(self, view: ViewKey, uri: str) -> PresentedDefinition | None:
        shown = self._current(view, _TEMPLATES)
        names = [name for name in shown.names if matches(name, uri)] if shown else []
        best = max(map(literal_length, names), default=0)
        closest = [self._entry(view, _TEMPLATES, name) for name in names if literal_length(name) == best]
        return closest[0] if len(closest) == 1 else None

    def _holds(self, view: ViewKey, method: str, name: str) -> bool:
        shown = self._current(view, method)
        return shown is not None and name in shown.names

    def _entry(self, view: ViewKey, method: str, name: str) -> PresentedDefinition | None:
        shown = self._current(view, method)
        return shown.names.get(name) if shown else None

    def _current(self, view: ViewKey, method: str) -> ViewListing | None:
        key = self._key(view, method)
        shown = self._shown.get(key)
        if shown is None:
            return None
        aged = self._clock() - shown.at >= self._max_age_s
        if aged or shown.generation != self.generation(view.server, method):
            self._discard(key)
            return None
        self._shown.move_to_end(key)
        return shown

    def _key(self, view: ViewKey, method: str) -> Key:
        session = _digest(view.session) if self._varying and self._varies(view.server) else b""
        return (view.server, view.credential, view.revision, session, method)

    def _varies(self, server: str) -> bool:
        since = self._varying.get(server)
        if since is not None and self._clock() - since >= VARIES_S:
            del self._varying[server]
            self._last.outdated(server, self._learned)
            return False
        return since is not None

    def _separate(self, server: str, order: int) -> None:
        """Give every session of a server its own view from now on. Each session reads its lists first."""
        self._varying[server] = self._clock()
        self._last.outdated(server, order)
        for key in [key for key in self._shown if key[0] == server]:
            self._discard(key)

    def _make_room(self) -> None:
        """Drop the excess over the bounds: open drafts first, then the least recently read views.

        Listings that are being read do not count, because a server could otherwise displace the views of all others.
        """
        bounds, interned = self._bounds, self.interned
        while (
            self._entries + self._drafts.entries > bounds.entries or interned.weight - interned.reading > bounds.weight
        ):
            if self._drafts:
                self._drafts.drop_oldest()
            elif self._shown:
                self._discard(next(iter(self._shown)))
            else:
                return

    def _discard(self, key: Key) -> None:
        shown = self._shown.pop(key)
        self._entries -= len(shown.names)
        release(self.interned, shown.method, shown.names)


def _digest(session: str) -> bytes:
    return sha256(session.encode(errors="surrogatepass")).digest()[:16] if session else b""
