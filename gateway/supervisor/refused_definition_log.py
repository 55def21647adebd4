"""Add the lines that changed since the review to the log of refused definitions.

Workers report the definition that a server presents. The supervisor has the verified bundles, and therefore the
reviewed words of the revision that refused.

Rule 1: the lines are computed in a thread, one definition after another. Every other event passes at once.
Rule 2: an event is never lost because of its lines. If they are not available, the event says why.
Rule 3: the lines of a definition are logged once.
Rule 4: text that looks like a secret is masked, as in records: a server can write a credential into its definition.
Rule 5: memory is bounded: the words of the last revisions, the waiting texts, and the definitions that were shown.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from gateway.admission.definition_line_changes import FOR_LOG, NOT_KEPT, reviewed_changes
from gateway.admission.refused_definition import unpacked
from gateway.admission.secret_texts import masked_text
from gateway.artifact.bundle_data import DATA
from gateway.artifact.reviewed_texts_file import REVIEWED, ReviewedCatalog, read_catalog
from gateway.opa.process import ReportEvent

PRESENTED: Final = "presented"
"""The field in which a worker reports the definition that a server presents."""
REVISIONS: Final = 4
WAITING: Final = 32 * 1024 * 1024
"""Maximum characters of the waiting texts."""
REMEMBERED: Final = 10_000
_IDENTITY: Final = ("server", "kind", "target", "sha256")
_NOT_OURS: Final = "? this gateway does not have the reviewed words: `opa.managed` is false, so it has no bundle"
_GONE: Final = "? this gateway no longer has the reviewed words of this revision"
_NOT_CARRIED: Final = "? {}: its reviewed words are not in this bundle"
_UNPINNED: Final = "? it was never reviewed: it has no pin"
_AS_A_WHOLE: Final = "? it differs from the pinned definition as a whole, although each part matches"
_UNREADABLE: Final = "? the server's definition cannot be compared with the bundle ({})"
_BUSY: Final = "? too many other definitions are waiting to be compared"
_ENDING: Final = "? the gateway shut down before the comparison"


class RevisionFiles:
    """The files with pins and reviewed words of the last revisions."""

    def __init__(self) -> None:
        """Start without any files."""
        self._files: Final[OrderedDict[str, Mapping[str, bytes]]] = OrderedDict()

    def take(self, revision: str, files: Mapping[str, bytes]) -> None:
        """Keep the needed files of a bundle that was verified, or built here."""
        self._files[revision] = {name: files[name] for name in (DATA, REVIEWED) if name in files}
        self._files.move_to_end(revision)
        if len(self._files) > REVISIONS:
            self._files.popitem(last=False)

    def of(self, revision: str) -> Mapping[str, bytes] | None:
        """Return the files of a revision; null if it is not one of the last."""
        return self._files.get(revision)


class _Refused(NamedTuple):
    """A waiting event, and the texts to compare for it."""

    event: str
    fields: Mapping[str, object]
    text: str
    files: Mapping[str, bytes] | None


class DefinitionChanges:
    """Passes events on to the log; made by `definition_changes` only."""

    def __init__(self, report: ReportEvent, bundles: RevisionFiles | None) -> None:
        """Take the log and the bundles; `bundles` is null if OPA gets its bundles from elsewhere."""
        self._report: Final = report
        self._bundles: Final = bundles
        self._waiting: Final[deque[_Refused]] = deque()
        self._arrived: Final = asyncio.Event()
        self._size = 0
        self._shown: Final[OrderedDict[tuple[object, ...], None]] = OrderedDict()
        self._read: tuple[Mapping[str, bytes], ReviewedCatalog] | None = None

    def __call__(self, event: str, /, **fields: object) -> None:
        """Take one event."""
        text = fields.pop(PRESENTED, None)
        if not isinstance(text, str) or self._known(tuple(fields.get(name) for name in _IDENTITY)):
            self._report(event, **fields)
            return
        if self._bundles is None:
            self._report(event, **fields, changes=[_NOT_OURS])
            return
        if self._size + len(text) > WAITING:
            self._report(event, **fields, changes=[_BUSY])
            return
        self._size += len(text)
        self._waiting.append(_Refused(event, fields, text, self._bundles.of(str(fields.get("revision")))))
        self._arrived.set()

    async def run(self) -> None:
        """Compute the lines of the waiting events, until canceled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                lines = await asyncio.to_thread(self._lines, self._waiting[0])
                self._pass_on(lines)
            self._read = None

    def end(self) -> None:
        """Pass on the events that are still waiting."""
        while self._waiting:
            self._pass_on([_ENDING])

    def _pass_on(self, lines: list[str]) -> None:
        refused = self._waiting.popleft()
        self._size -= len(refused.text)
        self._report(refused.event, **refused.fields, changes=lines)

    def _known(self, key: tuple[object, ...]) -> bool:
        known = key in self._shown
        self._shown[key] = None
        self._shown.move_to_end(key)
        if len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        return known

    def _lines(self, refused: _Refused) -> list[str]:
        try:
            return self._compared(refused)
        except Exception as error:  # noqa: BLE001 - whatever a bundle or a worker sends, the event is logged
            return [_UNREADABLE.format(type(error).__name__)]

    def _compared(self, refused: _Refused) -> list[str]:
        if refused.files is None:
            return [_GONE]
        presented = unpacked(refused.text)
        if presented is None:
            return [_UNREADABLE.format("its text is not JSON")]
        catalog = self._catalog(refused.files)
        server, kind = (str(refused.fields.get(name, "")) for name in ("server", "kind"))
        entry = catalog.entry(server, kind, presented.target)
        unkept = _NOT_CARRIED if catalog.words is None else NOT_KEPT
        found = reviewed_changes(entry or {}, presented.words, FOR_LOG, digests=presented.digests, unkept=unkept)
        masked = [masked_text(line, []) for line in found]
        return [_UNPINNED, *masked] if entry is None else masked or [_AS_A_WHOLE]

    def _catalog(self, files: Mapping[str, bytes]) -> ReviewedCatalog:
        """Return the catalog of a bundle; the last one is cached until no event is waiting."""
        if self._read is None or self._read[0] is not files:
            self._read = files, read_catalog(files)
        return self._read[1]


@asynccontextmanager
async def definition_changes(report: ReportEvent, bundles: RevisionFiles | None) -> AsyncGenerator[DefinitionChanges]:
    """Pass events on to `report` while the block runs."""
    changes = DefinitionChanges(report, bundles)
    running = asyncio.create_task(changes.run())
    try:
        yield changes
    finally:
        running.cancel()
        await asyncio.wait([running])
        changes.end()
