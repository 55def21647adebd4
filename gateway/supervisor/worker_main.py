"""A worker process: `python -m gateway.supervisor CONTROL LISTENER`, two inherited file descriptors.

Rule 1: all its inputs come over the control channel; the command line contains no secret and no setting.
Rule 2: when the channel ends, the supervisor has ended: the worker finishes its calls within a time limit, and ends.
Rule 3: terminal signals go to the supervisor; SIGTERM to a worker drains it.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

import msgspec
import uvloop
from msgspec import structs
from starlette.types import ASGIApp

from gateway.listening.certificate import Certificate
from gateway.listening.descriptors import raise_limit
from gateway.listening.server import HttpServer, server
from gateway.opa.process import ReportEvent
from gateway.opa.readiness_report import Readiness
from gateway.protocol.ownership_exchange import Claim, Held
from gateway.settings import Settings
from gateway.supervisor.control_channel import (
    TO_WORKER,
    Answered,
    Ask,
    Claimed,
    ControlChannel,
    Drain,
    Enforces,
    ForwardedEvent,
    PolicyConfirmed,
    Start,
    Started,
    Told,
    WorkerHeartbeat,
    opened,
)
from gateway.supervisor.limits_from_settings import manner_of
from gateway.supervisor.settings_codec import unpacked


class RunningWorker(Protocol):
    """A worker's application while it runs."""

    @property
    def asgi(self) -> ASGIApp: ...
    def readiness(self) -> Readiness: ...
    def samples(self) -> Any: ...
    def beat(self) -> None: ...
    def confirmed(self, unix_ns: int, revision: str) -> None: ...
    def on_revision(self, listener: Callable[[str, str], None]) -> None: ...
    def on_claim(self, listener: Callable[[int, Claim], None]) -> None: ...
    def held(self, claim: Claim) -> Held: ...
    def answered(self, number: int, held: Held | None) -> None: ...
    def drain(self) -> None: ...


_COLLECTED_AFTER: Final = 50_000
"""Objects created between two garbage collections. With the default, half of the time for reading a large JSON text
goes into garbage collection."""

_OF_A_RECORD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "level", "logger", "message"}
"""Attributes of every log record; all others were passed in addition to the message."""

Application = Callable[[Settings, Start, ReportEvent], AbstractAsyncContextManager[RunningWorker]]
"""Starts the application of a worker, and stops it at the end of the block."""


class Forwarded(logging.Handler):
    """Sends log records of this worker to the supervisor, with the values passed in addition to the message."""

    def __init__(self, report: ReportEvent) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, with its traceback."""
        given = {name: value for name, value in vars(record).items() if name not in _OF_A_RECORD}
        self._report("log", level=record.levelname, logger=record.name, message=self.format(record), **given)


def main(application: Application) -> None:
    """Work until drained; `sys.argv` contains the two file descriptors."""
    control = socket.socket(fileno=int(sys.argv[1]))
    listener = socket.socket(fileno=int(sys.argv[2]))
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)
    uvloop.run(work(control, listener, application))


async def work(control: socket.socket, listener: socket.socket, application: Application) -> None:
    """Serve until the supervisor asks the worker to end, or is gone."""
    channel = await opened(control)
    first = await channel.receive()
    start = TO_WORKER.decode(first) if first is not None else None
    if not isinstance(start, Start):
        return
    settings = unpacked(start.settings)

    def report(event: str, /, **fields: object) -> None:
        channel.send(ForwardedEvent(event, {name: str(value) for name, value in fields.items()}))

    logging.basicConfig(handlers=[Forwarded(report)], force=True)
    async with application(settings, start, report) as running, _tls(settings, report) as certificate:
        manner = manner_of(settings, raise_limit(), report=report, certificate=certificate)
        listening = server(running.asgi, drain_s=settings.listen.drain_s, manner=manner)
        serving = asyncio.create_task(listening.serve(sockets=[listener]))
        talking = asyncio.create_task(_converse(channel, running, listening))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, talking.cancel)
        running.on_revision(lambda revision, emergency: channel.send(Enforces(revision, emergency)))
        running.on_claim(lambda number, claim: channel.send(Claimed(number, claim)))
        channel.send(Started())
        await asyncio.wait((serving, talking), return_when=asyncio.FIRST_COMPLETED)
        running.drain()
        listening.end()
        await serving
        talking.cancel()


async def _converse(channel: ControlChannel, running: RunningWorker, listening: HttpServer) -> None:
    """Answer the supervisor until it asks the worker to end, or is gone."""
    while (content := await channel.receive()) is not None:
        message = TO_WORKER.decode(content)
        match message:
            case Ask(number=number, about="readiness"):
                channel.send(Told(number=number, readiness=_readiness(running, listening)))
            case Ask(number=number, about="claim", claim=claim):
                channel.send(Told(number=number, held=None if claim is None else running.held(claim)))
            case Answered(number=number, held=held):
                running.answered(number, held)
            case Ask(number=number):
                samples = msgspec.msgpack.encode(running.samples())
                channel.send(Told(number=number, samples=samples))
            case WorkerHeartbeat():
                running.beat()
            case PolicyConfirmed(unix_ns=unix_ns, revision=revision):
                running.confirmed(unix_ns, revision)
            case Start() | Drain():
                return


def _readiness(running: RunningWorker, listening: HttpServer) -> Readiness:
    """Return the application's readiness, extended by whether clients can connect."""
    readiness, unreachable = running.readiness(), listening.unreachable()
    if not unreachable:
        return readiness
    return structs.replace(readiness, missing=(*readiness.missing, f"connections ({unreachable})"))


@contextlib.asynccontextmanager
async def _tls(settings: Settings, report: ReportEvent) -> AsyncGenerator[Certificate | None]:
    """Yield the data listener's certificate, reloaded when it changes while the block runs; None for plain HTTP."""
    tls = settings.listen.tls
    if tls is None:
        yield None
        return
    certificate = Certificate(tls.certificate, tls.key, report)
    following = asyncio.create_task(certificate.follow())
    try:
        yield certificate
    finally:
        following.cancel()
