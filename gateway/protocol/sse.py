"""Server-sent events, read as the WHATWG standard says and written so that any reader reads the same.

Rule 1: lines end at CRLF, LF or CR and nowhere else, wherever the chunks are cut.
Rule 2: what a relay must keep is kept: comments, `retry`, and events that carry an id but no data.
Rule 3: an event larger than the bound ends the reading; memory never grows with what a server sends.
"""

from typing import Final

from msgspec import Struct

BOUND: Final = 8 * 1024 * 1024
"""Bytes of one event at most, with what belongs to it (DESIGN section 7)."""

_BEGINNING: Final = 4096
_BOM: Final = b"\xef\xbb\xbf"


class Event(Struct, frozen=True, kw_only=True):
    """One event, or one comment line; a field that the stream did not have is None."""

    data: bytes | None = None
    """Empty where the stream had an empty `data` field: a priming event (specification 2025-11-25)."""
    id: str | None = None
    event: str | None = None
    retry: int | None = None
    """Milliseconds."""
    comment: bytes | None = None


class TooLarge(Struct, frozen=True):
    """The bound was passed; nothing more is read from this stream."""

    bound: int


class Rest(Struct, frozen=True, kw_only=True):
    """What a reader held when an event became too large for it."""

    head: Event
    """Its fields before the data."""
    held: bytes
    """What was held of its data and what followed, as lines that end with LF; the last may not have ended."""
    ends: "Ends"

    @property
    def beginning(self) -> bytes:
        """The first bytes of its data."""
        return self.held[:_BEGINNING].removeprefix(b"data:")


def comment(text: str = "") -> bytes:
    """Return a comment line: what keeps a quiet stream open."""
    return encode(Event(comment=text.encode()))


def encode(event: Event) -> bytes:
    """Return the event's bytes; no content can begin a field or an event of its own."""
    if event.comment is not None:
        return b": " + _lines(event.comment).replace(b"\n", b"\n: ") + b"\n\n"
    return b"\n".join(fields(event)) + b"\n\n"


def fields(event: Event) -> list[bytes]:
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
    """Makes every end of a line a LF, wherever the chunks are cut."""

    __slots__ = ("_skip",)

    def __init__(self) -> None:
        """Begin a stream."""
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


class Reader:
    """Reads one stream, chunk by chunk."""

    __slots__ = (
        "_bound",
        "_broken",
        "_data",
        "_ends",
        "_event",
        "_held",
        "_id",
        "_part",
        "_retry",
        "_size",
        "_started",
    )

    def __init__(self, bound: int = BOUND) -> None:
        """Begin a stream whose events have at most `bound` bytes each."""
        self._bound: Final = bound
        self._ends: Final = Ends()
        self._broken = self._started = False
        self._part: list[bytes] = []
        self._held = 0
        self._clear()

    def _clear(self) -> None:
        self._data: list[bytes] = []
        self._id: str | None = None
        self._event: str | None = None
        self._retry: int | None = None
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event | TooLarge]:
        """Return the events that the chunk completes; after a `TooLarge` there is nothing but that."""
        if self._broken:
            return [TooLarge(self._bound)]
        lines = self._split(chunk)
        found: list[Event | TooLarge] = []
        for at, line in enumerate(lines):
            if not line and not self._size:
                continue  # nothing was said since the last event
            self._size += len(line) + 1
            if self._size > self._bound:
                self._part = [b"\n".join([*lines[at:], *self._part])]
                break
            if (event := self._take(line)) is not None:
                found.append(event)
        if self._size + self._held > self._bound:
            self._broken = True
            found.append(TooLarge(self._bound))
        return found

    def rest(self) -> Rest:
        """Return, after a `TooLarge`, what was held of the event that was too large, and forget it."""
        head = Event(id=self._id, event=self._event, retry=self._retry)
        held = b"".join([*(b"data: " + line + b"\n" for line in self._data), *self._part])
        self._clear()
        self._part.clear()
        return Rest(head=head, held=held, ends=self._ends)

    def _split(self, chunk: bytes) -> list[bytes]:
        """Return the lines that the chunk completes and keep the rest."""
        chunk = self._ends.normal(chunk)
        if b"\n" not in chunk:
            self._part.append(chunk)
            self._held += len(chunk)
            return []
        lines = chunk.split(b"\n")
        self._part.append(lines[0])
        lines[0] = b"".join(self._part)
        self._part = [lines.pop()]
        self._held = len(self._part[0])
        if not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(_BOM)
        return lines

    def _take(self, line: bytes) -> Event | None:
        if not line:
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
        elif not name:
            self._size -= len(line) + 1
            return Event(comment=value)
        return None

    def _dispatch(self) -> Event | None:
        event = Event(
            data=b"\n".join(self._data) if self._data else None, id=self._id, event=self._event, retry=self._retry
        )
        self._clear()
        return None if event == _NOTHING else event


_NOTHING: Final = Event()
