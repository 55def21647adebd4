"""Policy from the directory on this machine: built on every save, and fed to the managed OPA.

Rule 1: development and production (`following`) differ in nothing but this; OPA verifies the signature either way.
Rule 2: a policy that does not build is told with file and line, and the last good revision stays in force.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from gateway.bundle import Builder, PolicySource
from gateway.bundle.watch import Event, Published, Publisher, Refused, Restored
from gateway.settings import Settings
from gateway.supervisor.chronicle import Note
from gateway.supervisor.feeding import Feed


class PolicyNews:
    """Tells the chronicle what became of each save, and remembers what is wrong."""

    waiting: Final = "it is being built"

    def __init__(self, note: Note) -> None:
        self._note = note
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
            self._note("unwatched", detail=repr(error))

    def __call__(self, event: Event) -> None:
        """Take one event."""
        self.first.set()
        match event:
            case Published():
                self.problem = ""
                left = [str(problem) for problem in event.unread]
                detail = "\n".join([*left, *(warning.as_warning for warning in event.warnings)])
                self._note("published", revision=event.revision, detail=detail, seconds=round(event.seconds, 3))
            case Restored():
                self.problem = ""
                self._note("restored", revision=event.revision)
            case Refused():
                self.problem = "\n".join(str(problem) for problem in event.problems)
                self._note("refused", revision=event.in_force, detail=self.problem)


@contextlib.asynccontextmanager
async def published(
    settings: Settings, opa: Path, feed: Feed, note: Note, *, above: int = 0
) -> AsyncGenerator[PolicyNews]:
    """The policy directory's bundles, built on every save and fed to OPA while the block runs.

    `above` is the highest sequence number that was ever enforced.
    """
    builder = Builder(settings.state.directory, opa, key=feed.policy_key)
    news = PolicyNews(note)
    watch = settings.policy.watch
    source = PolicySource(settings.policy.directory, settings.policy.environment, editing=watch)
    publisher = Publisher(builder, source, feed.endpoint, news)
    work = publisher.run(above=above) if watch else publisher.publish(above=above)
    publishing = asyncio.create_task(work)
    publishing.add_done_callback(news.ended)
    try:
        yield news
    finally:
        publishing.cancel()
        await asyncio.wait([publishing])
