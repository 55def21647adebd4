"""OPA and its policy as the supervisor runs them: managed and fed, or somebody else's and left alone.

Rule 1: what can never work is said before anything is started.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from msgspec import Struct

from gateway.journal.highwater import Highwater
from gateway.opa.binary import Unobtainable, obtain
from gateway.opa.configuration import BundleSource, Memory
from gateway.opa.process import ManagedOpa, OpaUnsuitableError, Report
from gateway.settings import Settings
from gateway.supervisor.policy import PolicyNews, published, remote


class UnstartableError(Exception):
    """The gateway cannot start; the text says why and what to do."""


class Sidecar(Struct, frozen=True):
    """What workers and health need of it; no OPA where it is not ours, no news where bundles come from afar."""

    opa: ManagedOpa | None = None
    news: PolicyNews | None = None

    @property
    def socket(self) -> str:
        """The managed OPA's socket, empty where OPA is not ours."""
        return "" if self.opa is None else str(self.opa.socket)


@contextlib.asynccontextmanager
async def sidecar(settings: Settings, report: Report) -> AsyncGenerator[Sidecar]:
    """OPA with its policy while the block runs; raises UnstartableError."""
    if not settings.opa.managed:
        yield Sidecar()
        return
    binary = await _binary(settings, report)
    if settings.policy.bundle is None:
        async with (
            published(settings, binary, report, above=_enforced(settings)) as (source, news),
            _managed(settings, binary, source, report, after=news.first) as opa,
        ):
            yield Sidecar(opa, news)
        return
    try:
        source = remote(settings.policy.bundle)
    except OSError as error:
        raise UnstartableError(f"{error.filename}: {error.strerror}. It is a file of `policy.bundle`.") from error
    async with _managed(settings, binary, source, report) as opa:
        yield Sidecar(opa)


@contextlib.asynccontextmanager
async def _managed(
    settings: Settings, binary: Path, source: BundleSource, report: Report, *, after: asyncio.Event | None = None
) -> AsyncGenerator[ManagedOpa]:
    """OPA, started once `after` is set: before there is a bundle it could only fail to fetch one, and pause."""
    memory = Memory(gogc=settings.opa.gogc, limit=f"{settings.opa.memory_limit_mib}MiB")
    opa = ManagedOpa(binary, source, report=report, memory=memory)
    starting: asyncio.Task[None] | None = None
    try:
        await opa.check()
        starting = asyncio.create_task(_started(opa, after))
        yield opa
    except OpaUnsuitableError as error:
        raise UnstartableError(str(error)) from error
    finally:
        if starting is not None:
            starting.cancel()
            await asyncio.wait([starting])
        await opa.stop()


async def _started(opa: ManagedOpa, after: asyncio.Event | None) -> None:
    if after is not None:
        await after.wait()
    opa.start()


def _enforced(settings: Settings) -> int:
    """The highest sequence number of the environment that was ever enforced: what is built now is above it."""
    try:
        return Highwater(settings.journal.directory).seen(settings.policy.environment)
    except OSError as error:
        raise UnstartableError(f"{error.filename}: {error.strerror}") from error


async def _binary(settings: Settings, report: Report) -> Path:
    if settings.opa.binary is not None:
        return settings.opa.binary
    try:
        return await asyncio.to_thread(obtain, lambda line: report("obtaining_opa", line=line))
    except Unobtainable as error:
        raise UnstartableError(str(error)) from error
