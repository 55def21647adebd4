"""Background tasks of the supervisor: report bundle changes to workers, send heartbeats to hubs, warn before expiry.

Rule 1: these tasks only report. Enforcement never waits for them.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from gateway.opa.process import ReportEvent
from gateway.settings import BundleServiceSettings, Settings
from gateway.supervisor.bundle_followers import BundleFollowers
from gateway.supervisor.follow_spec import service_of
from gateway.supervisor.heartbeat import Heartbeat, HeartbeatSender, agreed, beating
from gateway.supervisor.opa_sidecar import Sidecar
from gateway.supervisor.policy_expiry_warnings import ExpiryWarnings
from gateway.supervisor.readiness_log import ReadinessLog
from gateway.supervisor.worker_pool import WorkerProcess
from gateway.version import VERSION

LOOK_S: Final = 1.0


@contextlib.asynccontextmanager
async def attending(
    settings: Settings, opa: Sidecar, workers: Sequence[WorkerProcess], outlook: ExpiryWarnings, report: ReportEvent
) -> AsyncGenerator[None]:
    """Run all background tasks while the block runs."""
    async with contextlib.AsyncExitStack() as stack:
        _connect(opa, workers)
        if settings.policy.bundle is not None:
            heart = await stack.enter_async_context(_heart(settings, settings.policy.bundle, opa, workers))
            for worker in workers:
                worker.on_enforces = heart.wake
        looking = asyncio.create_task(_looking(workers, outlook, ReadinessLog(report)))
        stack.callback(looking.cancel)
        yield


def _connect(opa: Sidecar, workers: Sequence[WorkerProcess]) -> None:
    """Make workers check for a new revision when OPA activates one, and pass on when the policy was confirmed."""

    def beat() -> None:
        for worker in workers:
            worker.beat()

    def confirm(unix_ns: int, revision: str) -> None:
        for worker in workers:
            worker.confirm(unix_ns, revision)

    if opa.feed is not None:
        opa.feed.endpoint.on_taken = beat
    if isinstance(opa.news, BundleFollowers):
        opa.news.on_confirmed = confirm
        if opa.news.confirmed[0]:
            confirm(*opa.news.confirmed)


@contextlib.asynccontextmanager
async def _heart(
    settings: Settings, service: BundleServiceSettings, opa: Sidecar, workers: Sequence[WorkerProcess]
) -> AsyncGenerator[HeartbeatSender]:
    def say(url: str) -> Heartbeat:
        enforced = agreed([worker.enforces for worker in workers])
        return Heartbeat(
            gateway=settings.gateway_id,
            labels=settings.labels,
            channel=service.channel,
            revision=enforced.revision,
            emergency=enforced.emergency if opa.stops is None else opa.stops.known_as(url, enforced.emergency),
            problem="" if opa.news is None else opa.news.problem,
            version=VERSION,
        )

    def said(url: str, why: str) -> None:
        if isinstance(opa.news, BundleFollowers):
            opa.news.heard(url, why)

    async with beating(service_of(settings, service, service.urls), say, said) as heart:
        if isinstance(opa.news, BundleFollowers):
            opa.news.on_problem = heart.wake
        yield heart


async def _looking(workers: Sequence[WorkerProcess], outlook: ExpiryWarnings, readiness: ReadinessLog) -> None:
    while True:
        readiness.look([worker.latest for worker in workers])
        outlook.look([worker.latest for worker in workers if worker.latest.revision])
        await asyncio.sleep(LOOK_S)  # noqa: TID251 - the interval between checks
