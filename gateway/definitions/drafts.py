"""The listings of clients that were not read to their end yet, by the page that continues each.

Rule 1: a page continues a listing if it was asked for with the cursor to which that listing led, in the same view.
Rule 2: memory is bounded in number and in time; what is dropped teaches nothing.
"""

from collections import OrderedDict
from typing import Final

from gateway.definitions.listing_view import Draft
from gateway.pipeline.ports import ViewKey

PAGES_S: Final = 60.0
"""For this long, the pages of a listing may follow one another."""
_MOST: Final = 64

_Key = tuple[ViewKey, str, str]


class OpenDrafts:
    """Drafts that wait for their next page."""

    def __init__(self) -> None:
        """Begin with none."""
        self._drafts: Final[OrderedDict[_Key, Draft]] = OrderedDict()
        self.entries = 0
        """Names in all of them together."""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._drafts)

    def take(self, view: ViewKey, method: str, cursor: str, now_s: float) -> Draft | None:
        """Return, and no longer hold, the listing that a cursor continues; null if there is none, or it is late."""
        draft = self._drafts.pop((view, method, cursor), None)
        if draft is None:
            return None
        self.entries -= len(draft.names)
        if now_s - draft.begun_s >= PAGES_S:
            draft.clear()
            return None
        return draft

    def keep(self, draft: Draft, cursor: str, now_s: float) -> None:
        """Hold a listing until the page that `cursor` asks for."""
        key = (draft.view, draft.method, cursor)
        self._drop(key)
        self._drafts[key] = draft
        self.entries += len(draft.names)
        while len(self._drafts) > _MOST or now_s - next(iter(self._drafts.values())).begun_s >= PAGES_S:
            self.drop_oldest()
            if not self._drafts:
                return

    def drop_oldest(self) -> None:
        """Drop the listing that has waited longest."""
        self._drop(next(iter(self._drafts)))

    def _drop(self, key: _Key) -> None:
        draft = self._drafts.pop(key, None)
        if draft is not None:
            self.entries -= len(draft.names)
            draft.clear()
