"""The views of one worker: which upstream presents what, to which credential, at which protocol revision.

Rule 1: sessions share a view until one is shown another definition than the other; then each has its own for an hour.
Rule 2: `list_changed` takes effect for all views of the server at once; what is older than the maximum age is not seen.
Rule 3: the views that were looked at last are kept, as many as the bounds let in.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

from gateway.admission.listing import LISTED_BY, LISTS, items_of, target_of
from gateway.admission.policy_input import Target
from gateway.definitions.interned import Interned
from gateway.definitions.presentation import Presentation
from gateway.definitions.shown import Page, Shown
from gateway.definitions.templates import literal_length, matches
from gateway.pipeline.ports import ViewKey
from gateway.protocol.values import as_object

VARIES_S: Final = 3_600.0
RELIST_S: Final = 10.0
"""A listing answers for names that it does not hold for so long; then an unknown name is worth another one."""

_Key = tuple[str, str, str, bytes, str]
_TEMPLATES: Final = "resources/templates/list"


class Bounds(Struct, frozen=True, kw_only=True):
    """What the views of a worker may take."""

    entries: int = 50_000
    """Names in all views together."""
    names: int = 10_000
    """Names in one listing of one view; further ones are not seen."""
    weight: int = 64 * 1024 * 1024
    """Bytes of all definitions together, about."""


class Cache:
    """What upstreams present; the pipeline's `Definitions`."""

    def __init__(
        self, *, max_age_s: float, bounds: Bounds | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the age at which entries are listed again, the bounds, and a clock that only goes forward (seconds)."""
        self._max_age_s: Final = max_age_s
        self._bounds: Final = bounds or Bounds()
        self._clock: Final = clock
        self._interned: Final = Interned()
        self._shown: Final[OrderedDict[_Key, Shown]] = OrderedDict()
        self._entries = 0
        self._generations: Final[dict[tuple[str, str], int]] = {}
        self._varying: Final[dict[str, float]] = {}

    def seen(self, view: ViewKey, target: Target) -> Presentation | None:
        """Return what a target is presented to be; null where it was not seen, aged, or is ambiguous."""
        if target.type == "resource":
            return self._resource(view, target.uri or "")
        methods = LISTED_BY.get(target.type, ())
        found = (self._entry(view, method, target.name or "") for method in methods)
        return next((presentation for presentation in found if presentation is not None), None)

    def fresh(self, view: ViewKey, method: str) -> bool:
        """Return whether the list was read to its end a moment ago: a name that it does not hold is not there."""
        shown = self._current(view, method)
        return shown is not None and shown.completed is not None and self._clock() - shown.completed < RELIST_S

    def learn(self, view: ViewKey, method: str, result: Mapping[str, Any], *, first: bool, last: bool) -> None:
        """Take in one page of an unfiltered listing."""
        items = list(_named(method, result))
        page = Page(items=items, first=first, last=last, session=_digest(view.session), at=self._clock())
        if self._read(view, method, page).varied:
            self._separate(view.server)
            self._read(view, method, page)
        self._make_room(self._key(view, method))

    def forget(self, server: str, method: str) -> None:
        """Forget what a server lists, after its `notifications/<kind>/list_changed` (or a list method's name)."""
        kind = method.removeprefix("notifications/").partition("/")[0]
        for listed in LISTS:
            if listed.startswith(f"{kind}/"):
                self._generations[server, listed] = self._generations.get((server, listed), 0) + 1

    def _read(self, view: ViewKey, method: str, page: Page) -> Shown:
        shown = self._current(view, method) or self._new(self._key(view, method))
        before = len(shown.entries)
        shown.read(page)
        self._entries += len(shown.entries) - before
        return shown

    def _resource(self, view: ViewKey, uri: str) -> Presentation | None:
        """Return the resource itself, a template of that very text, or the template that says most of the URI."""
        for method in ("resources/list", _TEMPLATES):
            found = self._entry(view, method, uri)
            if found is not None or self._holds(view, method, uri):
                return found
        return self._expanded(view, uri) if self._listed(view, "resources/list") else None

    def _expanded(self, view: ViewKey, uri: str) -> Presentation | None:
        shown = self._current(view, _TEMPLATES)
        names = [name for name in shown.entries if matches(name, uri)] if shown else []
        best = max(map(literal_length, names), default=0)
        closest = [self._entry(view, _TEMPLATES, name) for name in names if literal_length(name) == best]
        return closest[0] if len(closest) == 1 else None

    def _listed(self, view: ViewKey, method: str) -> bool:
        """Return whether a listing was begun within the maximum age: before that, a template may hide a resource."""
        shown = self._current(view, method)
        return shown is not None and shown.begun is not None and self._clock() - shown.begun < self._max_age_s

    def _holds(self, view: ViewKey, method: str, name: str) -> bool:
        shown = self._current(view, method)
        return shown is not None and name in shown.entries

    def _entry(self, view: ViewKey, method: str, name: str) -> Presentation | None:
        shown = self._current(view, method)
        entry = shown.entries.get(name) if shown else None
        if shown is None or entry is None:
            return None
        if self._clock() - entry.at >= self._max_age_s:
            shown.drop(name)
            self._entries -= 1
            return None
        return entry.presentation

    def _current(self, view: ViewKey, method: str) -> Shown | None:
        key = self._key(view, method)
        shown = self._shown.get(key)
        if shown is None:
            return None
        if shown.generation != self._generations.get((view.server, method), 0):
            self._discard(key)
            return None
        self._shown.move_to_end(key)
        return shown

    def _new(self, key: _Key) -> Shown:
        generation = self._generations.get((key[0], key[4]), 0)
        shown = Shown(key[4], self._interned, generation=generation, most=self._bounds.names)
        self._shown[key] = shown
        return shown

    def _key(self, view: ViewKey, method: str) -> _Key:
        session = _digest(view.session) if self._varies(view.server) else b""
        return (view.server, view.credential, view.revision, session, method)

    def _varies(self, server: str) -> bool:
        since = self._varying.get(server)
        if since is not None and self._clock() - since >= VARIES_S:
            del self._varying[server]
            return False
        return since is not None

    def _separate(self, server: str) -> None:
        """Give every session of a server its own view from now on; each lists for itself first."""
        self._varying[server] = self._clock()
        for key in [key for key in self._shown if key[0] == server]:
            self._discard(key)

    def _make_room(self, newest: _Key) -> None:
        bounds = self._bounds
        while self._entries > bounds.entries or self._interned.weight > bounds.weight:
            oldest = next(iter(self._shown))
            self._discard(oldest)
            if oldest == newest:
                return

    def _discard(self, key: _Key) -> None:
        shown = self._shown.pop(key)
        self._entries -= len(shown.entries)
        shown.clear()


def _named(method: str, result: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the entries of a list result that have a name, or a URI."""
    for item in items_of(method, result) or ():
        target = target_of(method, item)
        fields = as_object(item)
        if target is not None and fields is not None:
            yield target.name or target.uri or "", fields


def _digest(session: str) -> bytes:
    return sha256(session.encode(errors="surrogatepass")).digest()[:16] if session else b""
