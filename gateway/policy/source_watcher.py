"""Build on every save, and publish each build that succeeds.

Rule 1: a save that does not build is reported at once. The last good revision stays in force.
Rule 2: a save that does not change the content is not published.
Rule 3: one build runs at a time, in a thread. Files saved in the meantime are built next.
Rule 4: errors do not end the watcher. An unexpected error is a refused build, and the next save is built.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

from gateway.follow.bundle_endpoint import BundleEndpoint, Offer
from gateway.policy.build import Builder, Built, Content, PolicySource
from gateway.policy.rego.overlay import list_rego
from gateway.policy.sources.environment import list_environment
from gateway.policy.sources.problem import Problem, Problems
from gateway.policy.sources.source_files import DirectoryListing
from gateway.policy.unexpected_build_error import failed_build

STEP_MS: Final = 20
"""The time without changes in the file system before a build starts."""
DEBOUNCE_MS: Final = 400
"""The longest delay of a build while files keep changing."""
QUIET_MS: Final = 2000
"""The interval of checks without an event: some file systems do not send events, nor do links."""

FileState = tuple[str, tuple[int, ...]]
"""A file's name in problems and its status in the file system; or a problem's text and an empty status."""


class SavePublished(Struct, frozen=True, kw_only=True):
    """A new revision is served; `seconds` is the duration of its build, `warnings` are those of the build."""

    environment: str
    revision: str
    seq: int
    seconds: float
    unread: tuple[Problem, ...] = ()
    """Files that an editor created next to an open file; they are not part of the revision."""
    warnings: tuple[Problem, ...] = ()


class SaveRefused(Struct, frozen=True, kw_only=True):
    """A save that does not build; `in_force` is the revision that stays in force, empty before the first."""

    environment: str
    problems: tuple[Problem, ...]
    in_force: str


class SaveRestored(Struct, frozen=True, kw_only=True):
    """A save after a refusal that restores the enforced content, so it is not published again."""

    environment: str
    revision: str


Event = SavePublished | SaveRefused | SaveRestored
Report = Callable[[Event], None]
Checked = Callable[[Content, str], None]
"""A callback for the content of each save that builds, with the revision that enforces it."""


class Publisher:
    """A publisher of one environment of a policy repository to the OPAs that poll the endpoint."""

    def __init__(
        self,
        builder: Builder,
        source: PolicySource,
        endpoint: BundleEndpoint,
        report: Report,
        checked: Checked | None = None,
    ) -> None:
        self.current: Built | None = None
        """The revision that is served; None before the first."""
        self._builder = builder
        self._source = source
        self._endpoint = endpoint
        self._report = report
        self._checked = checked
        self._content: Content | None = None
        """The content of the last save, if it builds."""
        self._refused = False
        self._seen: frozenset[FileState] | None = None
        self._built: frozenset[FileState] | None = None
        """The state of the files at the last build without an error."""
        self._failure = ""
        """The last error of the watcher itself."""

    async def publish(self, *, above: int = 0) -> Event | None:
        """Build the saved files, and return the reported event, or None if the content has not changed.

        `above`: the highest sequence number that was ever enforced; the next one is greater.
        """
        began = time.monotonic()
        outcome = await asyncio.to_thread(self._build, above)
        event = self._published(outcome, time.monotonic() - began) if isinstance(outcome, Built) else outcome
        if event is not None:
            self._refused = isinstance(event, SaveRefused)
            self._report(event)
        if self._checked is not None and self._content is not None and self.current is not None:
            self._checked(self._content, self.current.revision)
        return event

    async def run(self, *, above: int = 0) -> None:
        """Publish now and after every save, until canceled; errors are reported and do not end the loop."""
        while True:
            try:
                await self._follow(above)
            except Exception as error:  # noqa: BLE001 - after any error, the next save must still be built
                self._tell_failure(error)
                self._seen = None
            await asyncio.sleep(QUIET_MS / 1000)  # noqa: TID251 - the polling interval

    async def _follow(self, above: int) -> None:
        await self._catch_up(above)
        while True:
            watched = _directories(self._source)
            bursts = _bursts(list(watched) or [self._source.directory], recursive=bool(watched))
            async with contextlib.aclosing(bursts):
                async for _ in bursts:
                    await self._catch_up(above)
                    if _directories(self._source) != watched:
                        break

    async def _catch_up(self, above: int) -> None:
        """Publish until the last build has seen the current files: they may change while a build runs."""
        while (state := _state(self._source)) != self._seen:
            self._seen = state
            await self.publish(above=above)

    def _build(self, above: int) -> Built | SaveRefused | SaveRestored | None:
        try:
            outcome = self._attempt(above)
        except Exception as error:  # noqa: BLE001 - a full disk, a removed file, a bug: the save is refused
            return self._refusal(failed_build(error, f"bundles/{self._source.environment}", self._changed()))
        self._built = self._seen
        return outcome

    def _changed(self) -> list[str]:
        """Return the files that changed since the last build without an error; empty before the first."""
        if self._seen is None or self._built is None:
            return []
        return sorted(name for name, _ in self._seen - self._built)

    def _tell_failure(self, error: Exception) -> None:
        """Report an error of the watcher once, not each time that it occurs again."""
        if self._failure != repr(error):
            self._failure = repr(error)
            with contextlib.suppress(Exception):  # reporting itself may be what fails
                self._report(self._refusal(failed_build(error, f"bundles/{self._source.environment}", ())))
            self._refused = True

    def _attempt(self, above: int) -> Built | SaveRefused | SaveRestored | None:
        name = self._source.environment
        self._content = None
        content = self._builder.content(self._source, time.time())
        if isinstance(content, Problems):
            return self._refusal(content)
        if self.current is not None and content.identity == self.current.content_id:
            self._content = content
            return SaveRestored(environment=name, revision=self.current.revision) if self._refused else None
        built = self._builder.finished(content, above=above)
        if not isinstance(built, Built):
            return self._refusal(built)
        self._content = content
        return built

    def _refusal(self, problems: Problems) -> SaveRefused:
        in_force = self.current.revision if self.current is not None else ""
        return SaveRefused(environment=self._source.environment, problems=problems.problems, in_force=in_force)

    def _published(self, built: Built, seconds: float) -> SavePublished:
        self.current = built
        self._endpoint.put(Offer(built.etag, built.content))
        return SavePublished(
            environment=self._source.environment,
            revision=built.revision,
            seq=built.seq,
            seconds=seconds,
            unread=tuple(each for listing in _listings(self._source) for each in listing.editing),
            warnings=built.warnings,
        )


async def _bursts(directories: Sequence[Path], *, recursive: bool) -> AsyncGenerator[None]:
    """Yield once after each burst of saves, and periodically between saves.

    If the system does not send events (no watches left, no such system call), the library polls the files. If it cannot
    do that either, the caller polls with each item.
    """
    for polling in (None, True):
        changes = awatch(
            *directories,
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=QUIET_MS,
            yield_on_timeout=True,
            recursive=recursive,
            ignore_permission_denied=True,
            force_polling=polling,
        )
        try:
            async with contextlib.aclosing(changes):
                async for _ in changes:
                    yield
        except (OSError, RuntimeError):
            continue
    await asyncio.sleep(QUIET_MS / 1000)  # noqa: TID251 - the polling interval
    yield


def _listings(source: PolicySource) -> list[DirectoryListing]:
    """List the directories that a build reads."""
    return [list_rego(source.directory), list_environment(source.directory, source.environment)]


def _directories(source: PolicySource) -> dict[Path, int]:
    """Return the directories to watch, with their inodes, so that a replaced directory is watched again.

    Directories behind links are included. Directories below another one are not.
    """
    real = {directory for listing in _listings(source) for directory in listing.directories}
    found: dict[Path, int] = {}
    for directory in sorted(real):
        with contextlib.suppress(OSError):  # it was removed meanwhile
            if directory.is_dir() and not any(parent in real for parent in directory.parents):
                found[directory] = directory.stat().st_ino
    return found


def _state(source: PolicySource) -> frozenset[FileState]:
    """Return the file system's status of every file that a build may read; links are followed, files are not read."""
    found: set[FileState] = set()
    for listing, shown in zip(_listings(source), ("rego", f"bundles/{source.environment}"), strict=True):
        found |= {(str(problem), ()) for problem in (*listing.problems, *listing.editing)}
        for file in listing.files:
            with contextlib.suppress(OSError):  # it was removed meanwhile: its absence is the new state
                status = file.place.stat()
                marks = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
                found.add((f"{shown}/{file.path}", marks))
    return frozenset(found)
