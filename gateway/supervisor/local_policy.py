"""Policy from a local directory: built on every save, and fed to the managed OPA.

Rule 1: development and production (`following`) differ only in this; OPA verifies the signature in both.
Rule 2: a policy that does not build is reported with file and line, and the last good revision stays in force.
Rule 3: the scenarios of a save run after it is in force; those with a different outcome cause a warning.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.scenarios_on_save import ScenarioRun, ScenarioRuns
from gateway.policy.source_watcher import Event, Publisher, SavePublished, SaveRefused, SaveRestored
from gateway.settings import Settings
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.event_log import LogNote


class PolicyNews:
    """Reports the result of each save to the event log, and remembers the current problem."""

    waiting: Final = "it is being built"

    def __init__(self, note: LogNote) -> None:
        self._note = note
        self.problem = ""
        """Why the current policy directory is not enforced; empty if it is."""
        self._scenarios_hold = True
        self.first: Final = asyncio.Event()
        """Set when the first build has ended: before that, OPA has nothing to fetch."""

    def ended(self, publishing: asyncio.Task[object]) -> None:
        """Log that an error ended publishing: later saves are not enforced."""
        self.first.set()
        error = None if publishing.cancelled() else publishing.exception()
        if error is not None:
            self.problem = f"the policy directory is no longer watched ({error!r}). Restart the gateway."
            self._note("watch_failed", detail=repr(error))

    def __call__(self, event: Event) -> None:
        """Handle one event."""
        self.first.set()
        match event:
            case SavePublished():
                self.problem = ""
                left = [str(problem) for problem in event.unread]
                detail = "\n".join([*left, *(warning.as_warning for warning in event.warnings)])
                self._note("published", revision=event.revision, detail=detail, seconds=round(event.seconds, 3))
            case SaveRestored():
                self.problem = ""
                self._note("restored", revision=event.revision)
            case SaveRefused():
                self.problem = "\n".join(str(problem) for problem in event.problems)
                self._note("refused", revision=event.in_force, detail=self.problem)

    def scenarios(self, run: ScenarioRun) -> None:
        """Report one run of the scenarios; report that all hold only after a run in which some did not."""
        if run.error:
            self._note("scenarios_not_run", revision=run.revision, detail=run.error)
        elif run.failed:
            detail = "\n".join(problem.as_warning for problem in run.failed)
            self._note("scenarios_failed", revision=run.revision, detail=detail, failed=len(run.failed), of=run.count)
        elif not self._scenarios_hold:
            self._note("scenarios_passed", revision=run.revision, of=run.count)
        self._scenarios_hold = not run.error and not run.failed

    def scenarios_ended(self, running: asyncio.Task[object]) -> None:
        """Report that an error ended the scenario runs: later saves are enforced without them."""
        error = None if running.cancelled() else running.exception()
        if error is not None:
            self._note("scenarios_not_run", detail=f"scenarios are no longer run ({error!r}). Restart the gateway.")


@contextlib.asynccontextmanager
async def published(
    settings: Settings, opa: Path, feed: BundleServer, note: LogNote, *, above: int = 0
) -> AsyncGenerator[PolicyNews]:
    """Build the policy directory's bundles on every save and feed them to OPA while the block runs.

    `above` is the highest sequence number that was ever enforced.
    """
    builder = Builder(settings.state.directory, opa, key=feed.policy_key)
    news = PolicyNews(note)
    watch = settings.policy.watch
    source = PolicySource(settings.policy.directory, settings.policy.environment, editing=watch)
    runs = ScenarioRuns(opa, news.scenarios)

    def checked(content: Content, revision: str) -> None:
        feed.files.take(revision, content.files)
        runs.take(content, revision)

    publisher = Publisher(builder, source, feed.endpoint, news, checked)
    work = publisher.run(above=above) if watch else publisher.publish(above=above)
    publishing = asyncio.create_task(work)
    publishing.add_done_callback(news.ended)
    running = asyncio.create_task(runs.follow())
    running.add_done_callback(news.scenarios_ended)
    try:
        yield news
    finally:
        publishing.cancel()
        running.cancel()
        await asyncio.wait([publishing, running])
