"""The stops of the gateway on this machine, as `mcp-admission stop --config` makes, lists and lifts them.

Rule 1: an error names the file that cannot be used and states that nothing has changed.
"""

import getpass
import os
import time
from pathlib import Path

import click

from gateway.artifact.stop_file import Stops
from gateway.artifact.stops_bundle import Stop, is_extended
from gateway.follow.last_good import LastGoodStore
from gateway.hub.stop_store import lifted, stopped
from gateway.settings import SettingProblems, Settings, load, unknown_variables


def loaded(config: Path | None) -> Settings:
    """Return the settings of a file; end the command if they cannot be used."""
    settings = load(config, os.environ)
    for unknown in unknown_variables(os.environ):
        click.echo(f"Warning: {unknown}", err=True)
    if isinstance(settings, SettingProblems):
        raise click.ClickException(f"These settings cannot be used:\n{settings}")
    return settings


def kept_policy(settings: Settings) -> bytes | None:
    """Return the bundle that a following gateway stores; null if it follows none, or has none yet."""
    if settings.policy.bundle is None:
        return None
    kept = LastGoodStore(settings.state.directory / "bundles", "policy").kept()
    return None if kept is None else kept.content


def make(settings: Settings, stop: Stop) -> None:
    """Make a stop; end the command if the stop is invalid or the policy in force cannot enforce it."""
    unable = _unable(settings, stop)
    if unable:
        raise click.ClickException(f"Nothing is stopped: {unable}")
    try:
        made = stopped(settings.state.directory, stop, time.time_ns())
    except OSError as error:
        raise _unwritten(settings, error) from error
    if isinstance(made, str):
        raise click.ClickException(f"Nothing is stopped: {made}.")


def standing(settings: Settings) -> tuple[Stop, ...]:
    """Return every stop in the file, including those that have ended."""
    try:
        return Stops(settings.state.directory).standing().stops
    except OSError as error:
        raise _unwritten(settings, error) from error


def end(settings: Settings, stop_id: str, because: str) -> bool:
    """Lift a stop; return whether a stop with this id existed."""
    directory, by = settings.state.directory, getpass.getuser()
    try:
        return lifted(directory, stop_id, by=by, because=because, unix_ns=time.time_ns()) is not None
    except OSError as error:
        raise _unwritten(settings, error) from error


def _unable(settings: Settings, stop: Stop) -> str:
    """Return the reason why the policy in force cannot enforce the stop; empty if it can."""
    policy = kept_policy(settings) if is_extended(stop) else None
    if policy is None:
        return ""
    from gateway.hub.stop_names_check import UNABLE, unenforceable  # noqa: PLC0415 - few stops need its modules

    unable = unenforceable(stop, [policy])
    return f"{unable}. {UNABLE}" if unable else ""


def _unwritten(settings: Settings, error: OSError) -> click.ClickException:
    return click.ClickException(f"{settings.state.directory} cannot be used: {error}. Nothing has changed.")
