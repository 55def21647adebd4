"""The composition root of a worker: builds an ASGI application from settings and the supervisor's inputs.

Rule 1: only this package knows all others. It creates every client; no other package does.
Rule 2: components are started and stopped here, in this order and in reverse order.
"""

import asyncio
import logging
import os
import signal
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

from msgspec import Struct, structs
from starlette.types import ASGIApp

from gateway.app.asgi_stack import AsgiStack, floods_recorded, guarded, metadata_beside
from gateway.app.factories import (
    calls_of,
    gateway_of,
    identity_of,
    journal_of,
    limits_of,
    opa_of,
    parts_of,
    pulse_of,
    streams_of,
)
from gateway.app.worker_context import WorkerContext
from gateway.app.worker_peers import SupervisedPeers
from gateway.identity.refused_callers import Aggregate
from gateway.journal.writer import JournalWriter
from gateway.opa.client import OpaClient
from gateway.opa.process import ReportEvent
from gateway.opa.readiness_probe import Readiness, ReadinessProbe
from gateway.pipeline import Pipeline
from gateway.pipeline.ownership import Ownership
from gateway.protocol.ownership_exchange import Claim, Held
from gateway.secrets import SecretStore
from gateway.server import McpEndpoint, Streams
from gateway.settings import Settings
from gateway.telemetry import Gauges, Telemetry
from gateway.telemetry.refusal_log import RefusalLog
from gateway.upstream import reach

_LOOK_S: Final = 0.2
_LOG: Final = logging.getLogger(__name__)


class WorkerApp:
    """A worker's application, with the operations that the supervisor calls."""

    def __init__(
        self, asgi: ASGIApp, policy: "WorkerPolicy", journal: JournalWriter, telemetry: Telemetry, traffic: "Traffic"
    ) -> None:
        """Take the composed components; made by `worker` only."""
        self.asgi: Final = asgi
        self._policy: Final = policy
        self._pulse: Final = policy.pulse
        self._journal: Final = journal
        self._telemetry: Final = telemetry
        self._traffic: Final = traffic

    def readiness(self) -> Readiness:
        """Return the result of the last readiness probe, and whether the journal accepts records."""
        readiness, failed = self._pulse.readiness, self._journal.state().failed
        if not failed:
            return readiness
        return structs.replace(readiness, missing=(*readiness.missing, f"journal ({failed})"))

    def samples(self) -> Any:
        """Return the metric samples, for the supervisor to sum."""
        readiness, journal = self.readiness(), self._journal.state()
        return self._telemetry.samples(
            Gauges(
                ready=not readiness.missing,
                observe=readiness.observe,
                revision=readiness.revision,
                emergency=readiness.emergency,
                not_after=readiness.not_after,
                policy_age_s=readiness.policy_age_s,
                stale=readiness.staleness != "fresh",
                journal_space_bytes=journal.space_used,
                journal_budget_bytes=journal.budget,
                journal_lag_s=journal.lag_s,
                journal_failed=bool(journal.failed),
                journal_lost=journal.lost,
            )
        )

    def beat(self) -> None:
        """Check at once for another revision to enforce."""
        self._pulse.wake()

    def confirmed(self, unix_ns: int, revision: str) -> None:
        """Record when the follower confirmed `revision` as current."""
        self._pulse.confirmed(unix_ns, revision)

    def on_revision(self, listener: Callable[[str, str], None]) -> None:
        """Call the listener now and at every change with the policy and the stops that this worker enforces."""
        self._policy.listeners.append(listener)
        self._policy.tell()

    def on_claim(self, listener: Callable[[int, Claim], None]) -> None:
        """Set the listener that passes claims to the other workers."""
        self._traffic.peers.send = listener

    def held(self, claim: Claim) -> Held:
        """Return the names of another worker's claim that its principal owns here."""
        return self._traffic.ownership.local(claim)

    def answered(self, number: int, held: Held | None) -> None:
        """Accept the other workers' answer to a claim of this worker."""
        self._traffic.peers.answered(number, held)

    def drain(self) -> None:
        """End the open streams, so that running calls can finish."""
        self._traffic.streams.close()


@asynccontextmanager
async def worker(settings: Settings, handed: WorkerContext, report: ReportEvent) -> AsyncGenerator[WorkerApp]:
    """Compose a worker on the running event loop; everything is closed when the context ends."""
    refusals = RefusalLog(report, time.monotonic)
    async with AsyncExitStack() as stack:
        who = gateway_of(settings)
        client, vitals = opa_of(settings, handed)
        stack.push_async_callback(client.close)
        stack.push_async_callback(vitals.close)
        journal = journal_of(settings, handed)
        journal.start()
        stack.push_async_callback(journal.close)
        trust = _trust(settings)
        upstream = await stack.enter_async_context(reach(SecretStore(settings.secrets.directory), trust=trust))
        identity = identity_of(settings)
        stack.push_async_callback(identity.close)
        floods = Aggregate()
        peers = SupervisedPeers()
        parts = parts_of(settings, handed, who, calls_of(client, journal, upstream, peers, refusals), floods)
        pipeline, streams, telemetry = (
            Pipeline(parts, ttl_cap_ms=settings.lists.ttl_cap_ms),
            streams_of(settings, parts),
            Telemetry(refusals=refusals),
        )
        policy = WorkerPolicy(client, pulse_of(settings, handed, client, vitals))
        stack.callback(pipeline.record_counts)
        revised = (_revised(policy, pipeline.running.revise), _revised(policy, partial(streams.revise, pipeline)))
        for background in (policy.pulse.run(), *revised, floods_recorded(floods, pipeline, refusals)):
            task = asyncio.create_task(background)
            task.add_done_callback(_end_with)
            stack.callback(task.cancel)
        endpoint = McpEndpoint(pipeline, AsgiStack(identity, floods), telemetry, streams, limits_of(settings))
        asgi = guarded(
            metadata_beside(endpoint, identity.resource), pipeline, telemetry, floods=floods, settings=settings
        )
        yield WorkerApp(asgi, policy, journal, telemetry, Traffic(streams, pipeline.ownership, peers))


class Traffic(Struct, frozen=True):
    """The traffic of a worker: its open streams, the owners of requests and tasks, and its peers."""

    streams: Streams
    ownership: Ownership
    peers: SupervisedPeers


class WorkerPolicy:
    """The policy as a worker follows it: the OPA client, the readiness probe, and the listeners for new revisions."""

    def __init__(self, client: OpaClient, pulse: ReadinessProbe) -> None:
        """Take both, and subscribe to the client's revisions."""
        self.client: Final = client
        self.pulse: Final = pulse
        self.listeners: Final[list[Callable[[str, str], None]]] = []
        self._changed: Final[list[asyncio.Event]] = []
        client.on_revision = self.tell

    def change(self) -> asyncio.Event:
        """Return an event that is set when other revisions of policy or stops are enforced."""
        self._changed.append(asyncio.Event())
        return self._changed[-1]

    def tell(self) -> None:
        """Report the enforced revisions to all listeners."""
        for changed in self._changed:
            changed.set()
        enforceable = self.client.enforceable
        for listener in self.listeners:
            listener(enforceable.revision, enforceable.emergency)


async def _revised(policy: WorkerPolicy, revise: Callable[[], Awaitable[int]]) -> None:
    """Decide again, as soon as the revisions change, on everything that earlier revisions allowed.

    The loop also runs without a change, for calls that the last revision allowed but that were registered later.
    """
    changed = policy.change()
    while True:
        with suppress(TimeoutError):  # `wait_for` loses a cancellation that arrives with the event
            async with asyncio.timeout(_LOOK_S):
                await changed.wait()
        changed.clear()
        await revise()


def _end_with(task: asyncio.Task[None]) -> None:
    """End the worker if one of its loops fails: the supervisor starts another."""
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("a background loop failed; the worker ends", exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


def _trust(settings: Settings) -> ssl.SSLContext | bool:
    """Return the trusted authorities of upstream certificates: the system's, and those in the settings."""
    if settings.upstreams.ca_file is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=settings.upstreams.ca_file)
    return context
