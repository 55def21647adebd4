"""Pass on once the events that several workers report about the same thing.

Rule 1: memory is bounded: the oldest entries are dropped.
"""

from collections import OrderedDict
from typing import Final

from gateway.opa.process import ReportEvent

ONCE: Final = {"definition_refused": ("server", "kind", "target", "sha256")}
"""Events that are passed on once, and the fields that distinguish them."""
REMEMBERED: Final = 10_000


class ReportedOnce:
    """Passes events on to the log."""

    def __init__(self, report: ReportEvent) -> None:
        """Take the log to report to."""
        self._report: Final = report
        self._seen: Final[OrderedDict[tuple[object, ...], None]] = OrderedDict()

    def __call__(self, event: str, /, **fields: object) -> None:
        """Pass on an event, unless it was reported before."""
        if event in ONCE and self._known((event, *(fields.get(name) for name in ONCE[event]))):
            return
        self._report(event, **fields)

    def _known(self, key: tuple[object, ...]) -> bool:
        known = key in self._seen
        self._seen[key] = None
        self._seen.move_to_end(key)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return known
