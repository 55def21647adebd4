"""Log shippers on a journal that is being written: `tail -F`, the file input of rsyslog, and `journal tail --follow`.

Each is compared with the receipts: through rotation, a killed writer and a full disk every record arrives exactly once,
in whole lines without a NUL byte.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from gateway.admission.record import JournalFailure, Receipt
from gateway.journal.journal_options import JournalOptions
from gateway.journal.reader import read
from gateway.journal.retention import seal_abandoned
from gateway.journal.segment_names import segments
from gateway.journal.writer import JournalWriter
from tests.faults.test_journal_faults import fill, receipts_before_death, started
from tests.faults.test_journal_faults import small as small  # noqa: PLC0414 - a fixture
from tests.running import until
from tests.unit.journal.conftest import a_completed, a_decided

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SMALL: Final = JournalOptions(segment_bytes=64 << 10, retry_s=0.02, linger_s=0.01)
Key = tuple[str, int]


class Shipper(Protocol):
    """A program that follows a journal; what it read is in `output`."""

    output: Path

    def see(self) -> None:
        """Learn of new segments, if it cannot do so by itself."""
        ...


class Tail:
    """GNU `tail -F`, one for each segment, because its names are all that it follows."""

    def __init__(self, journal: Path, output: Path, ending: ExitStack) -> None:
        self.output: Final = output
        self._journal: Final = journal
        self._ending: Final = ending
        self._seen: Final[set[Path]] = set()
        output.mkdir()

    def see(self) -> None:
        for _, path in segments(self._journal):
            if path not in self._seen:
                self._seen.add(path)
                command = ["tail", "-F", "-q", "-n", "+1", str(path)]
                run(command, self.output / path.name, self._ending)


class Rsyslog:
    """rsyslogd with the file input and a wildcard."""

    def __init__(self, journal: Path, output: Path, ending: ExitStack) -> None:
        self.output: Final = output
        output.mkdir()
        (output.parent / "work").mkdir()
        configuration = output.parent / "rsyslog.conf"
        configuration.write_text(f"""
global(workDirectory="{output.parent / "work"}" maxMessageSize="1m")
module(load="imfile")
template(name="line" type="string" string="%msg%\\n")
input(type="imfile" File="{journal}/*.jsonl" Tag="mcp" addMetadata="off" reopenOnTruncate="on")
action(type="omfile" file="{output / "lines"}" template="line")
""")
        command = ["/usr/sbin/rsyslogd", "-n", "-f", str(configuration), "-i", str(output.parent / "pid")]
        run(command, output.parent / "said", ending)

    def see(self) -> None:
        """Nothing: it watches the directory."""


class OwnReader:
    """`journal tail --follow`, whose standard output is a file."""

    def __init__(self, journal: Path, output: Path, ending: ExitStack) -> None:
        self.output: Final = output
        output.mkdir()
        words = ["journal", "tail", "--journal", str(journal), "--follow", "-n", "1000000"]
        run([sys.executable, "-m", "gateway", *words], output / "lines", ending)

    def see(self) -> None:
        """Nothing: it watches the directory."""


SHIPPERS: Final = {"tail": Tail, "rsyslog": Rsyslog, "own": OwnReader}


def run(command: list[str], output: Path, ending: ExitStack) -> None:
    """Run a program until the test ends."""
    with output.open("wb") as file:
        process = ending.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=file))
    ending.callback(process.kill)


@contextmanager
def shipping(kind: str, journal: Path, directory: Path) -> Generator[Shipper]:
    with ExitStack() as ending:
        yield SHIPPERS[kind](journal, directory / "output", ending)


EACH: Final = pytest.mark.parametrize(
    "kind", ["tail", pytest.param("rsyslog", marks=pytest.mark.environment("rsyslog")), "own"]
)


def shipped(shipper: Shipper) -> list[dict[str, Any]]:
    """Return the whole lines that arrived; each has to be a record."""
    found: list[dict[str, Any]] = []
    for path in shipper.output.iterdir():
        content = path.read_bytes()
        assert b"\0" not in content
        found += [json.loads(line) for line in content.split(b"\n")[:-1]]
    return found


async def arrived(shipper: Shipper, wanted: set[Key]) -> list[dict[str, Any]]:
    """Return what arrived as soon as all that is wanted has."""

    async def look() -> list[dict[str, Any]] | None:
        shipper.see()
        records = shipped(shipper)
        return records if wanted <= {key(record) for record in records} else None

    return await until(look, lambda: f"{len(shipped(shipper))} records arrived of {len(wanted)}")


def key(record: dict[str, Any]) -> Key:
    return record["writer"], record["sequence"]


def once(records: list[dict[str, Any]]) -> set[Key]:
    """Return the keys of records, none of which may be there twice."""
    keys = [key(record) for record in records]
    assert len(keys) == len(set(keys))
    return set(keys)


async def receipt(journal: JournalWriter, call_id: str, size: int = 10) -> Key:
    answer = await journal.decided(a_decided(call_id, server="x" * size))
    assert isinstance(answer, Receipt)
    return answer.writer, answer.sequence


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[JournalWriter]:
    made = JournalWriter(tmp_path / "journal", SMALL, writer="w1")
    made.start()
    yield made
    await made.close()


@EACH
async def test_records_of_an_open_segment_arrive_while_it_is_open(
    kind: str, journal: JournalWriter, tmp_path: Path
) -> None:
    early = {await receipt(journal, f"early-{number}") for number in range(10)}
    with shipping(kind, journal.directory, tmp_path) as shipper:
        assert once(await arrived(shipper, early)) == early
        late = {await receipt(journal, f"late-{number}") for number in range(10)}
        assert once(await arrived(shipper, early | late)) == early | late


@EACH
async def test_all_records_arrive_once_across_rotation(kind: str, journal: JournalWriter, tmp_path: Path) -> None:
    wanted = {await receipt(journal, "first")}
    with shipping(kind, journal.directory, tmp_path) as shipper:
        for number in range(400):
            wanted.add(await receipt(journal, f"call-{number}", 1_000))
        assert len(segments(journal.directory)) > 4
        assert once(await arrived(shipper, wanted)) == wanted


@EACH
async def test_after_kill_9_all_receipts_arrive_and_a_torn_line_is_no_record(kind: str, tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    with started(directory, "first") as process:
        receipts = await asyncio.to_thread(receipts_before_death, process, 300)
    [*_, (_, torn)] = segments(directory)
    with torn.open("ab") as file:
        file.truncate(len(torn.read_bytes().rstrip(b"\0")))
        file.write(b'{"at":1,"writer":"first","sequence":999999,"kind":"deci')
    with shipping(kind, directory, tmp_path) as shipper:
        await arrived(shipper, {(writer, sequence) for writer, sequence, _ in receipts})
        seal_abandoned(directory)
        with started(directory, "second") as process:
            receipts |= await asyncio.to_thread(receipts_before_death, process, 300)
        records = await arrived(shipper, {(writer, sequence) for writer, sequence, _ in receipts})
        assert once(records) <= {key(record) for record in read(directory)}


@EACH
@pytest.mark.environment("tmpfs")
async def test_on_a_full_disk_all_that_was_admitted_arrives(kind: str, small: Path, tmp_path: Path) -> None:
    made = JournalWriter(
        small / "journal", JournalOptions(segment_bytes=256 << 10, retry_s=0.02, linger_s=0.01), writer="w1"
    )
    made.start()
    wanted = {await receipt(made, "first")}
    with shipping(kind, made.directory, tmp_path) as shipper:
        ballast = await asyncio.to_thread(fill, small)
        calls = await until_full(made)
        for call_id in calls[-20:]:
            made.completed(a_completed(call_id))
        await asyncio.to_thread(ballast.unlink)
        await until(lambda: working(made), lambda: made.state().failed)
        wanted.add(await receipt(made, "again"))
        written = {key(record) for record in read(made.directory)}
        assert len(written) == len(calls) + 20 + len(wanted)
        assert once(await arrived(shipper, written)) == written
    await made.close()


async def until_full(journal: JournalWriter) -> list[str]:
    """Return the calls that were admitted before one was refused."""
    taken: list[str] = []
    while isinstance(await journal.decided(a_decided(f"call-{len(taken)}")), Receipt):
        taken.append(f"call-{len(taken)}")
    return taken


async def working(journal: JournalWriter) -> bool | None:
    return None if journal.state().failed else True


@pytest.mark.environment("root")
async def test_a_member_of_the_group_reads_what_others_may_not() -> None:
    with tempfile.TemporaryDirectory() as name:
        await asyncio.to_thread(Path(name).chmod, 0o711)  # the group has to pass it
        made = JournalWriter(Path(name) / "journal", JournalOptions(segment_bytes=64 << 10, group="adm"))
        made.start()
        assert not isinstance(await made.decided(a_decided()), JournalFailure)
        [(_, path)] = segments(made.directory)
        assert await asyncio.to_thread(read_as_nobody, path, "adm") == path.read_bytes()
        assert await asyncio.to_thread(read_as_nobody, path, "nogroup") == b""
        await made.close()


def read_as_nobody(path: Path, group: str) -> bytes:
    done = subprocess.run(
        ["cat", str(path)], capture_output=True, check=False, user="nobody", group="nogroup", extra_groups=[group]
    )
    return done.stdout
