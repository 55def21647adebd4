"""The unfinished listings of clients, by the page that continues each.

Rule 1: a page continues a listing if it was requested in the same view with the cursor that the listing led to.
Rule 2: memory is limited in number and time. A dropped listing is not learned.
"""

from collections import OrderedDict
from typing import Final

from gateway.definitions.server_listing import Draft
from gateway.pipeline.ports import ViewKey

PAGES_S: Final = 60.0
"""Maximum seconds between the first and the last page of a listing."""
_MOST: Final = 64

_Key = tuple[ViewKey, str, str]


class OpenDrafts:
    """Drafts that wait for their next page."""

    def __init__(self) -> None:
        """Start without drafts."""
        self._drafts: Final[OrderedDict[_Key, Draft]] = OrderedDict()
        self.entries = 0
        """Names in all drafts together."""

    def __len__(self) -> int:
        """Return the number of waiting drafts."""
        return len(self._drafts)

    def take(self, view: ViewKey, method: str, cursor: str, now_s: float) -> Draft | None:
        """Remove and return the listing that a cursor continues, or null if there is none or it is too old."""
        draft = self._drafts.pop((view, method, cursor), None)
        if draft is None:
            return None
        self.entries -= len(draft.names)
        if now_s - draft.begun_s >= PAGES_S:
            draft.clear()
            return None
        return draft

    def keep(self, draft: Draft, cursor: str, now_s: float) -> None:
        """Keep a listing until the page that `cursor` requests."""
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
