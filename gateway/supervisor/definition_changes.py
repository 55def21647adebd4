"""The lines that changed since the review, in the log of definitions that policy refuses.

Workers report what a server presents; the supervisor has the bundles whose signatures were verified, so that it knows
the reviewed words of the revision that refused.

Rule 1: the lines are worked out in a thread, one definition after another; every other event passes at once.
Rule 2: an event is never lost for its lines: if they cannot be had, it says why.
Rule 3: the lines of a definition are in the log once.
Rule 4: what looks like a secret is masked, as in records: a server can write a credential into its definition.
Rule 5: memory is bounded: the words of the last revisions, the texts that wait, the definitions that were shown.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from gateway.admission.definition_text import FOR_LOG, NOT_KEPT, reviewed_changes
from gateway.admission.refused_definition import unpacked
from gateway.admission.secret_texts import masked_text
from gateway.artifact.bundle_data import DATA
from gateway.artifact.reviewed_file import REVIEWED, ReviewedCatalog, read_catalog
from gateway.opa.process import ReportEvent

PRESENTED: Final = "presented"
"""The field in which a worker reports what a server presents."""
REVISIONS: Final = 4
WAITING: Final = 32 * 1024 * 1024
"""Characters of the texts that wait."""
REMEMBERED: Final = 10_000
_IDENTITY: Final = ("server", "kind", "target", "sha256")
_NOT_OURS: Final = "? this gateway does not have the reviewed words: `opa.managed` is false, so that it has no bundle"
_GONE: Final = "? this gateway no longer has the reviewed words of this revision"
_NOT_CARRIED: Final = "? {}: its reviewed words are not in this bundle"
_UNPINNED: Final = "? it was never reviewed: it has no pin"
_AS_A_WHOLE: Final = "? it is not the pinned one as a whole, though each part is"
_UNREADABLE: Final = "? what the server presents cannot be compared with the bundle ({})"
_BUSY: Final = "? too many other definitions wait to be compared"
_ENDING: Final = "? the gateway ends before it is compared"


class RevisionFiles:
    """The files of the last revisions in which pins and reviewed words are."""

    def __init__(self) -> None:
        """Begin without any."""
        self._files: Final[OrderedDict[str, Mapping[str, bytes]]] = OrderedDict()

    def take(self, revision: str, files: Mapping[str, bytes]) -> None:
        """Keep what is needed of the files of a bundle that was verified, or made here."""
        self._files[revision] = {name: files[name] for name in (DATA, REVIEWED) if name in files}
        self._files.move_to_end(revision)
        if len(self._files) > REVISIONS:
            self._files.popitem(last=False)

    def of(self, revision: str) -> Mapping[str, bytes] | None:
        """Return the files of a revision; null if it is not one of the last."""
        return self._files.get(revision)


class _Refused(NamedTuple):
    """An event that waits, and what is compared for it."""

    event: str
    fields: Mapping[str, object]
    text: str
    files: Mapping[str, bytes] | None


class DefinitionChanges:
    """Passes events on to the log; made by `definition_changes` only."""

    def __init__(self, report: ReportEvent, bundles: RevisionFiles | None) -> None:
        """Take the log, and the bundles; null if OPA has its bundles from elsewhere."""
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
        """Work out the lines of what waits, until canceled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                lines = await asyncio.to_thread(self._lines, self._waiting[0])
                self._pass_on(lines)
            self._read = None

    def end(self) -> None:
        """Pass on what still waits."""
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
        except Exception as error:  # noqa: BLE001 - whatever a bundle or a worker holds, the event is logged
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
        """Return the catalog of a bundle; the one that was read last is kept until nothing waits."""
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
