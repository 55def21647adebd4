"""A gateway run by a command: the supervisor, its log, and the live decisions.

Rule 1: with live decisions, the log is text for people; otherwise it is JSON lines on stderr.
"""

import asyncio
import contextlib
import logging
import os
import sys
import textwrap
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import cast

import click

from gateway.cli.live_decisions import WIDTH, escaped, follow
from gateway.settings import SettingProblems, Settings, load, unknown_variables
from gateway.supervisor.supervisor import serve
from gateway.telemetry import configure, render
from gateway.telemetry.log_events import level_of

_LOG = logging.getLogger("gateway")
_QUIET = frozenset({"worker_started", "opa_started", "ended", "draining"})


def settings_from(path: Path | None, environ: dict[str, str]) -> Settings:
    """Return the settings of a file and the environment; end the command with all problems if there are any."""
    settings = load(path, environ)
    if isinstance(settings, SettingProblems):
        raise click.ClickException(f"These settings cannot be used:\n{settings}")
    return settings


def run(settings: Settings, *, live: bool) -> int:
    """Run the gateway until a signal ends it, and return the exit code."""
    if not live:
        configure(settings.logs.level)
    return asyncio.run(_run(settings, live=live))


async def _run(settings: Settings, *, live: bool) -> int:
    report = told if live else logged
    for unknown in unknown_variables(os.environ):
        report("variable_unknown", variable=unknown.name, detail=str(unknown))
    async with _decisions(settings) if live else contextlib.nullcontext():
        return await serve(settings, report=report, render=render)


@contextlib.asynccontextmanager
async def _decisions(settings: Settings) -> AsyncGenerator[None]:
    """Show decisions on stdout while the block runs."""
    settings.journal.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    following = asyncio.create_task(follow(settings.journal.directory, _show))
    try:
        yield
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


def _show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def logged(event: str, /, **fields: object) -> None:
    """Write an event as one line of the log."""
    _LOG.log(_level(event, fields), event, extra={"fields": fields})


def _level(event: str, fields: Mapping[str, object]) -> int:
    """Return the level of an event; a message from a library of a worker keeps its own level."""
    if event == "log":
        return logging.getLevelNamesMapping().get(str(fields.get("level")), logging.WARNING)
    return level_of(event)


def told(event: str, /, **fields: object) -> None:
    """Show an event to people, if it concerns them."""
    if event in _QUIET:
        return
    hue = "red" if _level(event, fields) > logging.INFO else "cyan"
    text = {name: str(value) for name, value in fields.items() if name not in {"problems", "changes"}}
    for line in (*_in_lines(event, text), *_changed_lines(fields.get("changes"))):
        click.secho(line, err=True, fg=hue)
    if "problems" in fields:
        click.secho(f"{fields['problems']}", err=True, fg="red")


def _in_lines(event: str, fields: Mapping[str, str]) -> list[str]:
    """Return an event in lines of at most 120 columns; only a longer word exceeds them, and nothing is cut."""
    title, rest = event.replace("_", " "), dict(fields)
    if event == "log":
        title = rest.pop("level", "").lower()
        rest = {"": rest.pop("message", "")} | {name: text for name, text in rest.items() if name != "logger"}
    words = "  ".join(f"{name}={text}" if name else text for name, text in rest.items() if text)
    text = escaped(f"* {title}  {words}".replace("\n", " ").rstrip())
    return _wrapped(text, "    ")


def _changed_lines(changes: object) -> list[str]:
    """Return the changed lines of a definition, each wrapped separately."""
    lines = cast("list[object]", changes) if isinstance(changes, list) else []
    return [wrapped for line in lines for wrapped in _wrapped(f"    {escaped(str(line))}", "      ")]


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
