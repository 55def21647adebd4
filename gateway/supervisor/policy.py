"""Where the managed OPA's bundles come from: a bundle service, or the policy directory on this machine.

Rule 1: development and production differ in nothing but this; OPA verifies the signature either way.
Rule 2: a policy that does not build is told with file and line, and the last good revision stays in force.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from gateway.bundle import Builder, PolicySource
from gateway.bundle.listener import listening
from gateway.bundle.watch import Event, Published, Publisher, Refused, Restored
from gateway.opa.configuration import BundleSource
from gateway.opa.process import Report
from gateway.settings import BundleService, Settings


class PolicyNews:
    """Tells the log what became of each save, and remembers what is wrong."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.problem = ""
        """Why the policy directory as it is now is not enforced; empty where it is."""
        self.first: Final = asyncio.Event()
        """Set when the first build has come to something: before that OPA has nothing to ask for."""

    def ended(self, publishing: asyncio.Task[object]) -> None:
        """Tell when publishing has ended by an error: what is saved from now on is not enforced."""
        self.first.set()
        error = None if publishing.cancelled() else publishing.exception()
        if error is not None:
            self.problem = f"the policy directory is no longer watched ({error!r}). Restart the gateway."
            self._report("policy_unwatched", error=repr(error))

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self.first.set()
        match event:
            case Published():
                self.problem = ""
                self._report("policy_published", revision=event.revision, seconds=round(event.seconds, 3))
            case Restored():
                self.problem = ""
                self._report("policy_restored", revision=event.revision)
            case Refused():
                self.problem = "\n".join(str(problem) for problem in event.problems)
                self._report("policy_refused", in_force=event.in_force, problems=self.problem)


@contextlib.asynccontextmanager
async def published(
    settings: Settings, opa: Path, report: Report, *, above: int = 0
) -> AsyncGenerator[tuple[BundleSource, PolicyNews]]:
    """The policy directory's bundles on a loopback endpoint, built on every save, while the block runs.

    `above` is the highest sequence number that was ever enforced.
    """
    async with listening() as (endpoint, address):
        builder = Builder(settings.state.directory, opa)
        news = PolicyNews(report)
        publisher = Publisher(
            builder, PolicySource(settings.policy.directory, settings.policy.environment), endpoint, news
        )
        work = publisher.run(above=above) if settings.policy.watch else publisher.publish(above=above)
        publishing = asyncio.create_task(work)
        publishing.add_done_callback(news.ended)
        try:
            source = BundleSource(
                url=address.url,
                resource=address.resource,
                token=address.token,
                keyid=builder.key.keyid,
                public_key=builder.key.public_pem,
            )
            yield source, news
        finally:
            publishing.cancel()
            await asyncio.wait([publishing])


def remote(service: BundleService) -> BundleSource:
    """The bundle service of the settings; raises OSError where a file of it cannot be read."""
    return BundleSource(
        url=service.url,
        resource=service.resource,
        token="" if service.token_file is None else service.token_file.read_text(encoding="utf-8").strip(),
        keyid=service.keyid,
        public_key=service.verification_key.read_text(encoding="utf-8"),
        algorithm=service.algorithm,
    )
