"""Report each event of the policy and the stops once, to three places: the log, the metrics, the journal.

Rule 1: names of events and codes of rejections come from this program. Neither contains client data.
Rule 2: a journal that cannot write changes nothing about enforcement here: the workers' own journals then refuse calls.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import Final, Protocol

from gateway.admission.record import Policy, rfc3339
from gateway.journal.writer import JournalWriter, writer_name
from gateway.opa.process import ReportEvent
from gateway.settings import Settings

_WORDS: Final = 2_000
"""Maximum length of the detail in a record."""


class LogNote(Protocol):
    """A callable that records one event."""

    def __call__(
        self, event: str, /, *, code: str = "", revision: str = "", detail: str = "", **fields: object
    ) -> None: ...


class EventRecorder:
    """Reports to the log, the metrics and the journal; made by `chronicle` only."""

    def __init__(self, report: ReportEvent, journal: JournalWriter, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self.report: Final = report
        self._journal: Final = journal
        self._wall_ns: Final = wall_ns

    def __call__(
        self, event: str, /, *, code: str = "", revision: str = "", detail: str = "", **fields: object
    ) -> None:
        """Report one event; its name in the log and in metrics is `policy_<event>`."""
        told = {"code": code, "revision": revision, "detail": detail[:_WORDS]}
        self.report(f"policy_{event}", **{name: text for name, text in told.items() if text}, **fields)
        now = self._wall_ns()
        self._journal.noted(Policy(time=rfc3339(now), unix_ns=now, event=event, **told))


@contextlib.asynccontextmanager
async def chronicle(settings: Settings, report: ReportEvent) -> AsyncGenerator[EventRecorder]:
    """Yield a recorder with a journal writer of its own while the block runs."""
    journal = JournalWriter(settings.journal.directory, settings.journal.options, writer=writer_name("supervisor"))
    journal.start()
    try:
        yield EventRecorder(report, journal)
    finally:
        await journal.close()
