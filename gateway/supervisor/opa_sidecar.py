"""OPA and its policy as the supervisor runs them: managed and fed, or external and not touched.

Rule 1: errors in the settings are reported before anything is started.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from gateway.follow.bundle_endpoint_server import listening
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.opa.binary import Unobtainable, obtain
from gateway.opa.configuration import Memory
from gateway.opa.process import ManagedOpa, OpaUnsuitableError, ReportEvent
from gateway.settings import Settings
from gateway.supervisor.bundle_followers import BundleFollowers, following
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.event_log import EventRecorder
from gateway.supervisor.refused_definition_log import RevisionFiles
from gateway.supervisor.stop_list import StopList, stopping

if TYPE_CHECKING:
    from gateway.supervisor.local_policy import PolicyNews


class UnstartableError(Exception):
    """The gateway cannot start; the message says why and what to do."""


class Sidecar(Struct, frozen=True):
    """The managed OPA and its feed, for workers and health; all fields are None if OPA is not managed."""

    opa: ManagedOpa | None = None
    news: "PolicyNews | BundleFollowers | None" = None
    stops: StopList | None = None
    feed: BundleServer | None = None

    @property
    def socket(self) -> str:
        """The managed OPA's socket; empty if OPA is not managed."""
        return "" if self.opa is None else str(self.opa.socket)

    @property
    def files(self) -> RevisionFiles | None:
        """The reviewed definitions in the last policies; null if OPA gets its policies from elsewhere."""
        return None if self.feed is None else self.feed.files

    @property
    def followed(self) -> bool:
        """True if bundles come from a bundle service, and must be confirmed by it."""
        return isinstance(self.news, BundleFollowers)


@contextlib.asynccontextmanager
async def sidecar(settings: Settings, note: EventRecorder) -> AsyncGenerator[Sidecar]:
    """Run OPA with its policy while the block runs; raise UnstartableError if that is impossible."""
    if not settings.opa.managed:
        yield Sidecar()
        return
    binary = await _binary(settings, note.report)
    async with (
        listening() as (endpoint, address),
        _fed(settings, binary, BundleServer(endpoint, address), note) as fed,
        _managed(settings, binary, fed, note.report) as opa,
    ):
        yield structs.replace(fed, opa=opa)


@contextlib.asynccontextmanager
async def _fed(settings: Settings, binary: Path, feed: BundleServer, note: EventRecorder) -> AsyncGenerator[Sidecar]:
    """Yield the bundles for OPA, from the stops and from the policy's source."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            stops = await stack.enter_async_context(stopping(settings, feed, note))
            news = await stack.enter_async_context(_source(settings, binary, feed, stops, note))
        except OSError as error:
            raise UnstartableError(f"{error.filename}: {error.strerror}") from error
        yield Sidecar(news=news, stops=stops, feed=feed)


@contextlib.asynccontextmanager
async def _source(
    settings: Settings, binary: Path, feed: BundleServer, stops: StopList, note: EventRecorder
) -> "AsyncGenerator[PolicyNews | BundleFollowers]":
    service = settings.policy.bundle
    if service is None:
        from gateway.supervisor.local_policy import published  # noqa: PLC0415 - not needed when bundles are followed

        above = HighwaterFile(settings.journal.directory).seen(settings.policy.environment)
        async with published(settings, binary, feed, note, above=above) as news:
            yield news
        return
    try:
        following_ = following(settings, service, feed, stops, note)
        async with following_ as found:
            yield found
    except ValueError as error:
        raise UnstartableError(f"`policy.bundle`: {error}.") from error


@contextlib.asynccontextmanager
async def _managed(settings: Settings, binary: Path, fed: Sidecar, report: ReportEvent) -> AsyncGenerator[ManagedOpa]:
    """Start OPA once there is a bundle to feed it; before that, it could only fail to fetch, and back off."""
    if fed.feed is None or fed.news is None:
        raise UnstartableError("OPA has no bundle source")
    memory = Memory(gogc=settings.opa.gogc, limit=f"{settings.opa.memory_limit_mib}MiB")
    opa = ManagedOpa(binary, fed.feed.source, report=report, memory=memory)
    starting: asyncio.Task[None] | None = None
    try:
        await opa.check()
        starting = asyncio.create_task(_started(opa, fed.news.first, fed.feed.stopped))
        yield opa
    except OpaUnsuitableError as error:
        raise UnstartableError(str(error)) from error
    finally:
        if starting is not None:
            starting.cancel()
            await asyncio.wait([starting])
        await opa.stop()


async def _started(opa: ManagedOpa, *needed: asyncio.Event) -> None:
    for event in needed:
        await event.wait()
    opa.start()


async def _binary(settings: Settings, report: ReportEvent) -> Path:
    if settings.opa.binary is not None:
        return settings.opa.binary
    try:
        return await asyncio.to_thread(obtain, lambda line: report("obtaining_opa", line=line))
    except Unobtainable as error:
        raise UnstartableError(str(error)) from error
