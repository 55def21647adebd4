"""One event that is larger than a reader holds, passed on piece by piece without being read.

Rule 1: nothing of it is held; only its end is searched, and nothing in it can begin another event or field.
Rule 2: after its data has begun, the event has nothing but data; an event with more is broken.
"""

from typing import Final

from msgspec import Struct

from gateway.protocol.sse import Rest

_DATA: Final = b"data:"
_FIELD: Final = b"data: "


class Piece(Struct, frozen=True, kw_only=True):
    """Bytes to write unchanged; if the event ended with them, `after` has the bytes that follow it."""

    data: bytes
    ended: bool = False
    after: bytes = b""

    @property
    def content(self) -> bytes:
        """The event's data in one line, so that no careless reader finds more in it."""
        return self.data.replace(b"\n" + _FIELD, b"") if b"\n" in self.data else self.data


class SsePassthrough:
    """The event from the point at which the reader gave up to its end."""

    def __init__(self, rest: Rest) -> None:
        """Start after the bytes that the reader held, which `begin` returns."""
        self._rest: Final = rest
        self._start: bytes | None = b""
        """The beginning of a line whose field is not known yet; null within the content of a line."""
        self._begun = False

    def begin(self) -> Piece | None:
        """Return the bytes to write for the data that the reader held."""
        return self._take(self._rest.held)

    def feed(self, chunk: bytes) -> Piece | None:
        """Return the bytes to write for a chunk; null if the event breaks its form."""
        return self._take(self._rest.ends.normal(chunk))

    def _take(self, rest: bytes) -> Piece | None:
        written = list[bytes]()
        while rest:
            if self._start is None:
                content, ended, rest = rest.partition(b"\n")
                written.append(content)
                self._start = b"" if ended else None
                continue
            line, self._start = self._start + rest, b""
            if line.startswith(b"\n"):
                return Piece(data=b"".join((*written, b"\n\n")), ended=True, after=line[1:])
            if len(line) < len(_FIELD) and b"\n" not in line and _DATA.startswith(line[: len(_DATA)]):
                self._start = line
                break
            if not line.startswith(_DATA):
                return None
            written.append(b"\n" + _FIELD if self._begun else _FIELD)
            self._begun, self._start = True, None
            rest = line[len(_DATA) :].removeprefix(b" ")
        return Piece(data=b"".join(written))
