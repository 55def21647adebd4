"""The supervisor: owns sockets, keys, policy and OPA, keeps workers running, and reports their health.

Rule 1: it handles no client data.
Rule 2: every process that it started ends with it, even if it is killed.
Rule 3: on SIGTERM it accepts no more connections, lets running calls finish within a time limit, and then ends OPA.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Final

from msgspec import Struct, structs

from gateway.journal.file_access import admit_to_journal, closed_parents
from gateway.listening.certificate import Certificate
from gateway.listening.descriptors import raise_limit
from gateway.listening.server import server
from gateway.listening.sockets import Unbound, bind
from gateway.opa.process import ReportEvent
from gateway.settings import Settings
from gateway.shared_counters import created
from gateway.supervisor.admin import AdminApp, Render
from gateway.supervisor.background import attending
from gateway.supervisor.control_channel import Start
from gateway.supervisor.event_log import chronicle
from gateway.supervisor.event_metrics import EventMetrics
from gateway.supervisor.health import HealthReporter
from gateway.supervisor.opa_sidecar import Sidecar, UnstartableError, sidecar
from gateway.supervisor.ownership_questions import ClaimExchange
from gateway.supervisor.policy_expiry_warnings import ExpiryWarnings
from gateway.supervisor.refused_definition_log import definition_changes
from gateway.supervisor.reported_once import ReportedOnce
from gateway.supervisor.settings_codec import packed
from gateway.supervisor.shared_keys import KeyProblem, Keys, read_keys
from gateway.supervisor.worker_pool import COMMAND, WorkerProcess, WorkerSlot

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ADMIN_DRAIN_S: Final = 1


class Sockets(Struct, frozen=True):
    """The supervisor's listening sockets: one data socket for each worker, and one for the admin listener."""

    data: Sequence[socket.socket]
    admin: socket.socket

    def refuse(self) -> None:
        """Accept no more connections, once the workers have closed their copies too."""
        for one in self.data:
            one.close()

    def close(self) -> None:
        """Close all sockets."""
        self.refuse()
        self.admin.close()


async def serve(settings: Settings, *, report: ReportEvent, render: Render, command: Sequence[str] = COMMAND) -> int:
    """Run the gateway until a signal ends it; the exit code is 0, or 1 if it cannot start."""
    ending = _ending()
    raise_limit()  # OPA and the workers inherit it
    report = tally = EventMetrics(report)
    try:
        _check_certificate(settings, report)
        with _bound(settings) as sockets, created(settings.workers) as counters:
            settings = _placed(settings, sockets)
            keys = _keys(settings)
            _admit_group(settings, report)
            async with (
                chronicle(settings, report) as note,
                sidecar(settings, note) as opa,
                definition_changes(report, opa.files) as changes,
            ):
                berths = _berths(settings, keys, sockets, opa, counters)
                once = ReportedOnce(changes)
                workers = [WorkerProcess(structs.replace(berth, command=command), once) for berth in berths]
                ClaimExchange(workers)
                outlook = ExpiryWarnings(note)
                condition = HealthReporter(opa, outlook)
                async with (
                    _answering(AdminApp(workers, condition, tally.over(render)), sockets),
                    _crew(workers),
                    attending(settings, opa, workers, outlook, report),
                ):
                    report("listening", url=settings.public_url, admin=_admin_url(settings), workers=len(workers))
                    await ending.wait()
                    condition.draining = True
                    sockets.refuse()
                    report("draining", seconds=settings.listen.drain_s)
    except UnstartableError as error:
        report("start_failed", reason=str(error))
        return 1
    report("ended")
    return 0


def _ending() -> asyncio.Event:
    """Return an event that is set by the first termination signal."""
    ending = asyncio.Event()
    for number in ENDING:
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    return ending


def _check_certificate(settings: Settings, report: ReportEvent) -> None:
    """Raise UnstartableError if the certificate is unusable."""
    tls = settings.listen.tls
    if tls is None:
        return
    try:
        Certificate(tls.certificate, tls.key, report)
    except OSError as error:
        reason = f"`listen.tls` cannot be used: {tls.certificate}, {tls.key}: {error.strerror or error}"
        raise UnstartableError(f"{reason}. Provide a PEM certificate with its chain, and its private key.") from error


@contextlib.contextmanager
def _bound(settings: Settings) -> Generator[Sockets]:
    data = bind(settings.listen.host, settings.listen.port, settings.workers)
    if isinstance(data, Unbound):
        raise UnstartableError(data.message)
    admin = bind(settings.admin.host, settings.admin.port, 1)
    if isinstance(admin, Unbound):
        raise UnstartableError(admin.message)
    sockets = Sockets(data, admin[0])
    try:
        yield sockets
    finally:
        sockets.close()


def _placed(settings: Settings, sockets: Sockets) -> Settings:
    """Return the settings with the chosen ports in place of 0."""
    listen = structs.replace(settings.listen, port=sockets.data[0].getsockname()[1])
    admin = structs.replace(settings.admin, port=sockets.admin.getsockname()[1])
    return structs.replace(settings, listen=listen, admin=admin)


def _keys(settings: Settings) -> Keys:
    keys = read_keys(settings.sealing.directory, settings.journal.directory)
    if isinstance(keys, KeyProblem):
        raise UnstartableError(keys.message)
    return keys


def _admit_group(settings: Settings, report: ReportEvent) -> None:
    """Let the group of `journal.group` read the journal; raise UnstartableError if that cannot be done."""
    directory, group = settings.journal.directory, settings.journal.group
    if not group:
        return
    try:
        admit_to_journal(directory, group)
        for parent in closed_parents(directory, group):
            remedy = f"chmod o+x {parent}, or set `journal.directory` to a place that the group can reach"
            report("journal_unreachable", group=group, detail=f"the group cannot enter {parent}: {remedy}")
    except OSError as error:
        where = "`journal.group`" if error.filename is None else f"`journal.group`: {error.filename}"
        raise UnstartableError(f"{where}: {error.strerror}.") from error


def _berths(settings: Settings, keys: Keys, sockets: Sockets, opa: Sidecar, counters: int) -> list[WorkerSlot]:
    raw = packed(settings)
    return [
        WorkerSlot(
            start=Start(
                settings=raw,
                worker=number,
                opa_socket=opa.socket,
                sealing_keys=keys.sealing,
                digest_key=keys.digest,
                followed=opa.followed,
                counters=counters,
            ),
            listener=listener,
            drain_s=settings.listen.drain_s,
        )
        for number, listener in enumerate(sockets.data)
    ]


@contextlib.asynccontextmanager
async def _answering(admin: AdminApp, sockets: Sockets) -> AsyncGenerator[None]:
    """Run the admin listener while the block runs."""
    listener = server(admin, drain_s=ADMIN_DRAIN_S)
    serving = asyncio.create_task(listener.serve(sockets=[sockets.admin]))
    try:
        yield
    finally:
        listener.end()
        await serving


@contextlib.asynccontextmanager
async def _crew(workers: Sequence[WorkerProcess]) -> AsyncGenerator[None]:
    """Run the workers while the block runs; drain them at its end, or kill them if it ends with an error."""
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
        await asyncio.gather(*(worker.drain() for worker in workers))
    finally:
        for worker in workers:
            worker.kill()
        await asyncio.gather(*running)


def _admin_url(settings: Settings) -> str:
    host = f"[{settings.admin.host}]" if ":" in settings.admin.host else settings.admin.host
    return f"http://{host}:{settings.admin.port}"
