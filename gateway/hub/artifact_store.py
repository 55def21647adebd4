"""Artifacts by their digest, channels as pointers to them, and the journal of moves, in one directory.

`artefacts/<sha256>.tar.gz`, `channels/<name>.json`, `moves.jsonl`, `assignments.json`, `assignments.jsonl`,
`pruned.jsonl`.

Rule 1: an artifact never changes. A pointer changes in one step, under a lock that threads and processes share.
Rule 2: a move is in the journal before it takes effect. If a crash prevented a move, the next `open` completes it. Any
other failure, such as a full disk, is rolled back and leaves the old pointer.
Rule 3: a file is verified against its name when it is read. A damaged file is an error; it never counts as absent.
"""

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.rejection import Rejected
from gateway.durable_files import locked, replace
from gateway.hub.channel_pointer import DIGEST, Assignment, Mark, Move, Pointer, arrived
from gateway.hub.line_journal import LOCK, MODE, append, cut, lines
from gateway.hub.promotion import MoveRefused, MoveRequest, misnamed, rejected, unmovable
from gateway.hub.pruned import absent

_T = TypeVar("_T")
_MOVE: Final = msgspec.json.Decoder(Move)
_POINTER: Final = msgspec.json.Decoder(Pointer)
_ASSIGNMENTS: Final = msgspec.json.Decoder(tuple[Assignment, ...])
_NS: Final = 1_000_000_000


def instant(unix_ns: int) -> str:
    """Return the time in RFC 3339, UTC, to the millisecond."""
    moment = datetime.fromtimestamp(unix_ns // _NS, UTC).replace(microsecond=unix_ns % _NS // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ArtifactStore:
    """Reads and changes one directory; any method may raise OSError, and then nothing has changed."""

    def __init__(self, directory: Path) -> None:
        self._artifacts: Final = directory / "artefacts"
        self._channels: Final = directory / "channels"
        self._moves: Final = directory / "moves.jsonl"
        self._assignments: Final = directory / "assignments.json"
        self._assigned: Final = directory / "assignments.jsonl"
        self.directory: Final = directory

    def open(self) -> None:
        """Create the directory if it is missing, and complete moves that a crash prevented."""
        for path in (self._artifacts, self._channels):
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(self.directory / LOCK):
            last = {move.channel: move for move in self._history()}
            pointers = self.pointers()
            for channel, move in last.items():
                pointer = pointers.get(channel)
                if pointer is None or pointer.digest != move.to.digest:
                    self._point(arrived(move))

    def keep(self, artifact: Artifact) -> None:
        """Store an artifact under its digest; an existing file stays."""
        path = self._place(artifact.digest)
        with locked(self.directory / LOCK):
            if path.exists():
                os.utime(path)  # tells pruning that the artifact is needed now
            else:
                replace(path, artifact.content, mode=MODE)

    def content(self, digest: str) -> bytes | None:
        """Return the bytes of an artifact; None if it was never stored, or was pruned."""
        try:
            content = self._place(digest).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() != digest:
            raise OSError(errno.EIO, "does not match its digest; restore the file", os.fspath(self._place(digest)))
        return content

    def stored(self) -> Iterator[tuple[str, Path]]:
        """Yield the digest and the file of each stored artifact."""
        for path in self._artifacts.glob("[!.]*.tar.gz"):
            digest = path.name.removesuffix(".tar.gz")
            if DIGEST.fullmatch(digest):
                yield digest, path

    def pointers(self) -> dict[str, Pointer]:
        """Return each channel's pointer, by name."""
        return {path.stem: _read(path, _POINTER) for path in sorted(self._channels.glob("[!.]*.json"))}

    def move(self, wanted: MoveRequest) -> Pointer | MoveRefused:
        """Return the channel's pointer after the move, or the refusal; a pointer that is already there stays."""
        with locked(self.directory / LOCK):
            misled = misnamed(wanted.channel)
            mark = misled or self._mark(wanted.digest)
            if isinstance(mark, MoveRefused):
                return mark
            pointer = self.pointers().get(wanted.channel)
            if pointer is not None and pointer.digest == wanted.digest:
                return pointer
            refused = unmovable(wanted, mark, pointer, self._history())
            return refused or self._moved(wanted, mark, pointer)

    def moves(self, channel: str = "", limit: int = 100) -> list[Move]:
        """Return the last moves of one channel, or of all channels, newest first."""
        found = [move for move in self._history() if channel in {"", move.channel}]
        return found[-limit:][::-1] if limit > 0 else []

    def assignments(self) -> tuple[Assignment, ...]:
        """Return the assignments: which gateways follow a channel other than the one that they request."""
        try:
            return _read(self._assignments, _ASSIGNMENTS)
        except FileNotFoundError:
            return ()

    def assign(self, assignments: Sequence[Assignment], by: str, unix_ns: int) -> None:
        """Replace the assignments."""
        line = msgspec.json.encode({"time": instant(unix_ns), "by": by, "assignments": assignments})
        with locked(self.directory / LOCK):
            before = append(self._assigned, line)
            try:
                replace(self._assignments, msgspec.json.encode(assignments), mode=MODE)
            except OSError:
                cut(self._assigned, before)
                raise

    def _place(self, digest: str) -> Path:
        return self._artifacts / f"{digest}.tar.gz"

    def _mark(self, digest: str) -> Mark | MoveRefused:
        content = self.content(digest)
        if content is None:
            return absent(self.directory, digest)
        artifact = read_artifact(content)
        if isinstance(artifact, Rejected):
            return rejected(artifact)
        metadata = artifact.manifest.metadata
        return Mark(digest=digest, revision=artifact.revision, environment=metadata.environment, seq=metadata.seq)

    def _moved(self, wanted: MoveRequest, mark: Mark, pointer: Pointer | None) -> Pointer:
        move = Move(
            time=instant(wanted.unix_ns),
            channel=wanted.channel,
            before=None if pointer is None else pointer.mark,
            to=mark,
            by=wanted.by,
            because=wanted.because,
        )
        before = append(self._moves, msgspec.json.encode(move))
        try:
            self._point(arrived(move))
        except OSError:
            cut(self._moves, before)
            raise
        return arrived(move)

    def _point(self, pointer: Pointer) -> None:
        replace(self._channels / f"{pointer.channel}.json", msgspec.json.encode(pointer), mode=MODE)

    def _history(self) -> list[Move]:
        return list(self._journal())

    def _journal(self) -> Iterator[Move]:
        for number, line in enumerate(lines(self._moves), 1):
            try:
                yield _MOVE.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                reason = f"line {number} is not a valid move; restore the file"
                raise OSError(errno.EINVAL, reason, os.fspath(self._moves)) from error


def _read(path: Path, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decoder.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise OSError(errno.EINVAL, f"is damaged ({error}); restore the file", os.fspath(path)) from error
