"""The hub process: open the store and serve until a signal ends it.

Rule 1: errors in the settings are reported before the hub listens.
Rule 2: on SIGTERM all long polls are answered, and running calls finish within a time limit.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator
from functools import partial
from typing import Final

from gateway.hub.app import Hub, application
from gateway.hub.artifact_store import ArtifactStore
from gateway.hub.bearer_tokens import UnknownCallerLog
from gateway.hub.channels import Channels
from gateway.hub.config_reload import ConfigReloader
from gateway.hub.credentials import Credentials
from gateway.hub.endpoint import READING_S, SENDING_S, Guard
from gateway.hub.fleet import Fleet
from gateway.hub.metrics import HubEventLog, HubMetrics
from gateway.hub.routes_artifacts import ArtifactRoutes
from gateway.hub.routes_bundles import BundleRoutes
from gateway.hub.routes_heartbeats import HeartbeatRoutes
from gateway.hub.routes_stops import StopRoutes
from gateway.hub.settings import HubListen, HubSettings
from gateway.hub.stop_store import StopStore
from gateway.listening.certificate import Certificate
from gateway.listening.descriptors import connections_for, raise_limit
from gateway.listening.limits import ConnectionLimits
from gateway.listening.server import ServerOptions, server
from gateway.listening.sockets import Unbound, bind

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DRAIN_S: Final = 5
UNREAD_BYTES: Final = 1024 * 1024 * 1024
"""Sized for many gateways that download a new bundle at once, some of them slowly."""


async def serve(settings: HubSettings, report: HubEventLog) -> int:
    """Run the hub until a signal ends it; the exit code is 0, or 1 if it cannot start."""
    ending = asyncio.Event()
    for number in ENDING:
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    try:
        hub = await asyncio.to_thread(composed, settings, report)
        async with _certificate(settings.listen, report) as certificate:
            return await _listen(settings, hub, certificate, ending)
    except OSError as error:  # includes ssl.SSLError
        where = f"{error.filename}: " if error.filename else ""
        report("start_failed", reason=f"{where}{error.strerror or error}. Fix it, or correct the hub's settings.")
        return 1


async def _listen(settings: HubSettings, hub: Hub, certificate: Certificate | None, ending: asyncio.Event) -> int:
    listen, report = settings.listen, hub.guard.report
    sockets = bind(listen.host, listen.port, 1)
    if isinstance(sockets, Unbound):
        report("start_failed", reason=sockets.message)
        return 1
    limits = ConnectionLimits(
        total=connections_for(raise_limit()), body_s=2 * READING_S, stall_s=2 * SENDING_S, unread_bytes=UNREAD_BYTES
    )
    manner = ServerOptions(limits=limits, report=report, certificate=certificate)
    listener = server(application(hub), drain_s=DRAIN_S, manner=manner)
    serving = asyncio.create_task(listener.serve(sockets=list(sockets)))
    renewing = ConfigReloader(settings, hub.guard.trust, (hub.guard.counts, report))
    looking = [asyncio.create_task(each.follow()) for each in (hub.publishing.looking, renewing)]
    for each in looking:
        each.add_done_callback(partial(_ended, report))
    report("listening", url=_url(listen, sockets[0].getsockname()[1]), channels=len(hub.channels.all))
    await ending.wait()
    report("draining", seconds=DRAIN_S)
    hub.channels.close()
    if hub.emergency is not None:
        hub.emergency.offering.close()
    listener.end()
    await serving
    for each in looking:
        each.cancel()
    report("ended")
    return 0


def _ended(report: HubEventLog, looking: asyncio.Task[None]) -> None:
    """Log that a watcher task failed: from now on, changes of files have no effect, not even a removed token."""
    error = None if looking.cancelled() else looking.exception()
    if error is not None:
        report(
            "directory_watch_failed", error=repr(error), remedy="restart the hub: it no longer reloads changed files"
        )


def composed(settings: HubSettings, report: HubEventLog) -> Hub:
    """Return the components, loaded from the directory; raise OSError if the directory is unusable."""
    store = ArtifactStore(settings.directory)
    store.open()
    channels, fleet, counts = Channels(store.assignments()), Fleet(), HubMetrics()
    for pointer in store.pointers().values():
        content = store.content(pointer.digest)
        if content is None:
            raise FileNotFoundError(2, f"{pointer.channel} points to an artifact that is missing", pointer.digest)
        channels.load(pointer, content)
    emergency = _emergency(settings)
    trust = Credentials(settings.callers, settings.keys, report)
    guard = Guard(trust, counts, report, UnknownCallerLog(), UnknownCallerLog())
    return Hub(
        guard=guard,
        channels=channels,
        fleet=fleet,
        emergency=emergency,
        polling=BundleRoutes(guard, channels, emergency, most=settings.listen.most_waiting),
        publishing=ArtifactRoutes(store, channels, trust, (counts, report)),
        reporting=HeartbeatRoutes(channels, emergency, (fleet, counts, report), resumed=bool(channels.all)),
        responding=StopRoutes(settings.directory, emergency, channels, (counts, report)),
    )


def _emergency(settings: HubSettings) -> StopStore | None:
    if settings.emergency_key is None:
        return None
    emergency = StopStore(settings.directory, settings.emergency_key)
    emergency.open(time.time_ns())
    return emergency


@contextlib.asynccontextmanager
async def _certificate(listen: HubListen, report: HubEventLog) -> AsyncGenerator[Certificate | None]:
    """Yield the certificate, reloaded when it changes while the block runs; None for plain HTTP."""
    if listen.tls is None:
        yield None
        return
    certificate = Certificate(listen.tls.certificate, listen.tls.key, report)
    following = asyncio.create_task(certificate.follow())
    try:
        yield certificate
    finally:
        following.cancel()


def _url(listen: HubListen, port: int) -> str:
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"{'http' if listen.tls is None else 'https'}://{host}:{port}"
