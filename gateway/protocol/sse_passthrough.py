"""One event that is larger than a reader holds, passed on piece by piece without being read.

Rule 1: nothing of it is held; only where it ends is looked for, and nothing in it can begin another event or field.
Rule 2: after its data has begun, the event has nothing but data; what has more is broken.
"""

from typing import Final

from msgspec import Struct

from gateway.protocol.sse import Rest

_DATA: Final = b"data:"
_FIELD: Final = b"data: "


class Piece(Struct, frozen=True, kw_only=True):
    """Bytes to write as they are; where the event has ended with them, what follows it is in `after`."""

    data: bytes
    ended: bool = False
    after: bytes = b""

    @property
    def content(self) -> bytes:
        """What it has of the event's data, in one line: no reader is so careless that it would find more in it."""
        return self.data.replace(b"\n" + _FIELD, b"") if b"\n" in self.data else self.data


class SsePassthrough:
    """The event from where the reader gave up to its end."""

    def __init__(self, rest: Rest) -> None:
        """Begin after what the reader held, which `begin` returns."""
        self._rest: Final = rest
        self._start: bytes | None = b""
        """What is there of a line whose field is not known yet; null within the content of a line."""
        self._begun = False

    def begin(self) -> Piece | None:
        """Return what to write of what the reader held."""
        return self._take(self._rest.held)

    def feed(self, chunk: bytes) -> Piece | None:
        """Return what to write for a chunk; null where the event breaks its form."""
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
