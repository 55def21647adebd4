"""Fixtures of the journal's tests: records, and a storage that can be blocked and made to fail."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest

from gateway.admission.policy_input import Target
from gateway.admission.record import Caller, Completed, Decided
from gateway.journal.journal_options import JournalOptions
from gateway.journal.storage import Disk
from gateway.journal.writer import JournalWriter

SMALL = JournalOptions(segment_bytes=256 * 1024, retry_s=0.01)


def a_decided(call_id: str = "call-1", outcome: str = "allow", **changes: object) -> Decided:
    fields: dict[str, object] = {
        "call_id": call_id,
        "time": "2026-11-20T14:00:00.000000Z",
        "unix_ns": 1,
        "monotonic_ns": 1,
        "outcome": outcome,
        "replayable": False,
        "masking": "none",
        "method": "tools/call",
        "phase": "request",
        "server": "slack",
        "target": Target(type="tool", name="post_message"),
        "principal": Caller(kind="service", method=""),
        "source_ip": "192.0.2.7",
    }
    return Decided(**(fields | changes))  # pyright: ignore[reportArgumentType]


def a_completed(call_id: str = "call-1", outcome: str = "answered") -> Completed:
    return Completed(call_id=call_id, unix_ns=2, monotonic_ns=2, outcome=outcome, status=200)


class Fickle(Disk):
    """A disk that records its operations, and that waits or fails on request."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[str, int, bool]] = []
        self.open = Event()
        self.open.set()
        self.create_error = 0
        self.write_error = 0
        self.failed: list[int] = []
        """Descriptors on which a write failed; each is gone once it is sealed."""

    def create(self, path: Path, size: int) -> int:
        if self.create_error:
            raise OSError(self.create_error, "cannot create", str(path))
        return super().create(path, size)

    def write(self, descriptor: int, data: bytes, offset: int, *, durable: bool) -> None:
        assert self.open.wait(60)
        assert descriptor not in self.failed, "a descriptor was written to after an error"
        if self.write_error:
            self.failed.append(descriptor)
            code, self.write_error = self.write_error, 0
            super().write(descriptor, data[: len(data) // 2], offset, durable=False)
            raise OSError(code, "cannot write")
        super().write(descriptor, data, offset, durable=durable)
        self.done.append(("write", data.count(b"\n"), durable))

    def seal(self, descriptor: int, length: int) -> None:
        super().seal(descriptor, length)
        if descriptor in self.failed:
            self.failed.remove(descriptor)

    def fail_once(self, code: int = errno.EIO) -> None:
        self.write_error = code


@pytest.fixture
def storage() -> Fickle:
    return Fickle()


@pytest.fixture
async def journal(tmp_path: Path, storage: Fickle) -> AsyncIterator[JournalWriter]:
    made = JournalWriter(tmp_path / "journal", SMALL, writer="w1", storage=storage)
    made.start()
    yield made
    storage.open.set()
    await made.close()
