"""Server-sent events, read as the WHATWG standard defines and written so that all readers read the same.

Rule 1: lines end at CRLF, LF or CR and nowhere else, no matter how the chunks are cut.
Rule 2: everything that a relay must keep is kept: comments, `retry`, and events that have an id but no data.
Rule 3: an event larger than the bound ends the reading; memory never grows with the amount that a server sends.
Rule 4: reading is done in small steps, so that no chunk blocks the thread of its reader. Consecutive comments become
one.
"""

import re
from typing import Final

from msgspec import Struct

BOUND: Final = 8 * 1024 * 1024
"""Most bytes of one event, with its fields (DESIGN section 7)."""

_BEGINNING: Final = 4096
_BOM: Final = b"\xef\xbb\xbf"
_STEP: Final = 64
"""Number of lines that one step reads, or of runs of comments and empty lines of at most `_RUN` bytes."""
_RUN: Final = 256
_COMMENTS: Final = re.compile(rb"(?::[^\n]*+\n)++")
_BETWEEN: Final = re.compile(rb"(?:(?::[^\n]*+)?\n)++")
"""Text that may occur between two events: comments and empty lines."""


class SseEvent(Struct, frozen=True, kw_only=True):
    """One event, or one comment line; a field that the stream did not have is None."""

    data: bytes | None = None
    """Empty if the stream had an empty `data` field: a priming event (specification 2025-11-25)."""
    id: str | None = None
    event: str | None = None
    retry: int | None = None
    """Milliseconds."""
    comment: bytes | None = None


class SseEventTooLarge(Struct, frozen=True):
    """The bound was exceeded; nothing more is read from this stream."""

    bound: int


class Unfinished(Struct, frozen=True):
    """Marker of a step that found nothing yet although input is left."""


class Rest(Struct, frozen=True, kw_only=True):
    """The data that a reader held when an event became too large for it."""

    head: SseEvent
    """Its fields before the data."""
    held: bytes
    """The data held so far and the lines after it, each ending with LF; the last line may be incomplete."""
    ends: "Ends"

    @property
    def beginning(self) -> bytes:
        """The first bytes of its data."""
        return self.held[:_BEGINNING].removeprefix(b"data:")


def comment(text: str = "") -> bytes:
    """Return a comment line, which keeps an idle stream open."""
    return encode(SseEvent(comment=text.encode()))


def encode(event: SseEvent) -> bytes:
    """Return the event's bytes; no content can begin a field or an event of its own."""
    if event.comment is not None:
        return b": " + _lines(event.comment).replace(b"\n", b"\n: ") + b"\n\n"
    return b"\n".join(fields(event)) + b"\n\n"


def fields(event: SseEvent) -> list[bytes]:
    """Return the lines of an event, without their ends."""
    parts: list[bytes] = []
    if event.event is not None:
        parts.append(b"event: " + _single(event.event))
    if event.id is not None:
        parts.append(b"id: " + _single(event.id))
    if event.retry is not None:
        parts.append(b"retry: %d" % event.retry)
    if event.data is not None:
        parts.append(b"data: " + _lines(event.data).replace(b"\n", b"\ndata: "))
    return parts


def _lines(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in content else content


def _single(text: str) -> bytes:
    return text.replace("\r", "").replace("\n", "").replace("\x00", "").encode("utf-8", "replace")


class Ends:
    """Converter of every line end to LF, no matter how the chunks are cut."""

    __slots__ = ("_skip",)

    def __init__(self) -> None:
        """Start a stream."""
        self._skip = False

    def normal(self, chunk: bytes) -> bytes:
        """Return the chunk without carriage returns."""
        if self._skip and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._skip = False
        if b"\r" in chunk:
            self._skip = chunk.endswith(b"\r")
            chunk = _lines(chunk)
        return chunk


class SseReader:
    """Reader of one stream, chunk by chunk."""

    def __init__(self, bound: int = BOUND) -> None:
        """Start a stream whose events have at most `bound` bytes each."""
        self._bound: Final = bound
        self._ends: Final = Ends()
        self._broken = self._started = self._commented = False
        self._part: list[bytes] = []
        self._held = 0
        self._chunk = b""
        self._at = 0
        self._clear()

    def _clear(self) -> None:
        self._data: list[bytes] = []
        self._id: str | None = None
        self._event: str | None = None
        self._retry: int | None = None
        self._size = 0

    def feed(self, chunk: bytes) -> list[SseEvent | SseEventTooLarge]:
        """Return the events that the chunk completes; after a `SseEventTooLarge` nothing else follows."""
        found: list[SseEvent | SseEventTooLarge] = []
        self.take(chunk)
        while (step := self.step()) is not None:
            if not isinstance(step, Unfinished):
                found.append(step)
            if isinstance(step, SseEventTooLarge):
                break
        return found

    def take(self, chunk: bytes) -> None:
        """Add a chunk, after the steps have finished the previous one."""
        self._chunk = self._chunk[self._at :] + self._ends.normal(chunk)
        self._at = 0

    def step(self) -> SseEvent | SseEventTooLarge | Unfinished | None:
        """Return the next event, or null at the end of the input so far."""
        for _ in range(_STEP):
            if self._broken:
                return SseEventTooLarge(self._bound)
            found = self._comment() or self._line()
            if not isinstance(found, Unfinished):
                return found
        return _UNFINISHED

    def _comment(self) -> SseEvent | None:
        """Skip whole lines that are comments or empty lines between two events; return one comment for them."""
        if self._part or not self._started:
            return None
        run = (_COMMENTS if self._size else _BETWEEN).match(self._chunk, self._at, self._at + _RUN)
        if run is None:
            return None
        self._at = run.end()
        begins = self._chunk.find(b":", run.start(), run.end())
        if begins < 0 or self._commented:
            return None
        self._commented = True
        return SseEvent(comment=self._chunk[begins + 1 : self._chunk.index(b"\n", begins)].removeprefix(b" "))

    def _line(self) -> SseEvent | SseEventTooLarge | Unfinished | None:
        end = self._chunk.find(b"\n", self._at)
        if end < 0:
            return self._keep()
        self._part.append(self._chunk[self._at : end])
        line, self._held, self._at = b"".join(self._part), 0, end + 1
        self._part.clear()
        if not self._started:
            self._started = True
            line = line.removeprefix(_BOM)
        if not line and not self._size:
            return _UNFINISHED  # nothing since the last event
        self._size += len(line) + 1
        if self._size > self._bound:
            self._part = [line + b"\n" + self._chunk[self._at :]]
            self._chunk, self._at = b"", 0
            return self._break()
        return self._take(line) or _UNFINISHED

    def _keep(self) -> SseEventTooLarge | None:
        """Keep a line that has not ended."""
        rest, self._chunk = self._chunk[self._at :], b""
        self._at = 0
        if rest:
            self._part.append(rest)
            self._held += len(rest)
        return self._break() if self._size + self._held > self._bound else None

    def _break(self) -> SseEventTooLarge:
        self._broken = True
        return SseEventTooLarge(self._bound)

    def rest(self) -> Rest:
        """Return the data held of an event that was too large, after a `SseEventTooLarge`, and forget it."""
        head = SseEvent(id=self._id, event=self._event, retry=self._retry)
        held = b"".join([*(b"data: " + line + b"\n" for line in self._data), *self._part])
        self._clear()
        self._part.clear()
        return Rest(head=head, held=held, ends=self._ends)

    def _take(self, line: bytes) -> SseEvent | None:
        if not line:
            self._commented = False
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\x00" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self._retry = int(value[:9])
        if name:
            self._commented = False
            return None
        self._size -= len(line) + 1
        again, self._commented = self._commented, True
        return None if again else SseEvent(comment=value)

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(
            data=b"\n".join(self._data) if self._data else None, id=self._id, event=self._event, retry=self._retry
        )
        self._clear()
        return None if event == _NOTHING else event


_NOTHING: Final = SseEvent()
_UNFINISHED: Final = Unfinished()
