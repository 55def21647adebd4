"""`mcp-admission stop`: refuse everything of an agent, a principal, a server or a target, now and for a while.

Rule 1: a stop can only refuse; it ends by itself within a day, and says why it was made.
Rule 2: with a hub all its gateways obey; without one the gateway of the settings file does.
"""

import getpass
import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

import click
from msgspec import to_builtins

from gateway.bundle.emergency import LONGEST_S, Kind, Stop
from gateway.bundle.stops import Stops
from gateway.cli.hubs.barrier import Barrier, waited
from gateway.cli.hubs.options import because_option, token_option, wait_options
from gateway.cli.hubs.remote import Remote, remote
from gateway.cli.live import escaped
from gateway.hub.answers import Stopped
from gateway.hub.stopping import lifted, new_stop, stopped
from gateway.settings import Problems, load

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([smh])")
_NS: Final = 1_000_000_000
_FILE: Final = click.Path(dir_okay=False, exists=True, path_type=Path)


def _span(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """The callback of `--for`: seconds."""
    found = _SPAN.fullmatch(value or "")
    if value is not None and found is None:
        raise click.BadParameter(f"`{value}` is no span of time; write 30m or 4h, 24h at most.")
    span = None if found is None else int(found[1]) * _UNITS[found[2]]
    if span is not None and span > LONGEST_S:
        raise click.BadParameter(f"`{value}` is longer than 24 hours: what should last is a rule.")
    return span


_hub = click.option("--hub", "url", metavar="URL", help="The hub whose gateways obey.")
_config = click.option("--config", type=_FILE, help="Without a hub: the settings file of the gateway that obeys.")


@click.group(
    "stop",
    short_help="Stop an agent, principal, server or target now; list, lift.",
    invoke_without_command=True,
    epilog="""\b
Examples:
  mcp-admission stop --agent support-bot --for 4h --because "It mails strangers" --hub https://hub.example.com
  mcp-admission stop --target github/create_issue --for 30m --because "Flood" --config settings.yaml
  mcp-admission stop list --hub https://hub.example.com --token-file token
  mcp-admission stop lift stop-1f2e3d4c --because "Mended" --hub https://hub.example.com --token-file token
""",
)
@click.option("--agent", help="An agent's id.")
@click.option("--principal", help="A principal's subject, or <issuer>#<subject>.")
@click.option("--server", help="A server's id in the catalog.")
@click.option("--target", help="<server>/<tool, prompt or URI>.")
@click.option("--for", "for_s", callback=_span, metavar="SPAN", help="How long, such as 30m or 4h; 24h at most.")
@click.option("--because", help="Why: it is told to whoever is refused, and kept in the journal.")
@_hub
@token_option
@_config
@wait_options
@click.pass_context
def command(ctx: click.Context, for_s: int | None, because: str | None, **options: Any) -> None:
    """Refuse everything of an agent, a principal, a server or a target, at once and until it ends by itself.

    It needs no build and no CI. With --hub all gateways that follow the hub obey, with --config the one gateway of
    that settings file. The id of the stop is printed; with --wait the command ends when every live gateway obeys.
    """
    if ctx.invoked_subcommand is not None:
        return
    named = [(kind, options[kind]) for kind in get_args(Kind) if options[kind]]
    if len(named) != 1 or for_s is None or not because:
        raise click.UsageError("Say what to stop (one of --agent, --principal, --server, --target), --for, --because.")
    kind, name = named[0]
    where = _where(options["url"], options["token_file"], options["config"])
    stop = _made(where, kind, name, for_s=for_s, because=because)
    click.echo(f"stopped {stop.kind} {escaped(stop.name)} until {_moment(stop.until_unix_ns)}", err=True)
    click.echo(stop.id)
    if isinstance(stop, Stopped) and stop.unborne:
        click.echo(escaped(f"{stop.unborne}: is it mistyped? The stop stands all the same"), err=True)
    if options["wait"]:
        _obeyed(where, options["deadline"], options["at_least"])


def _obeyed(where: Remote | Path, deadline_s: float, at_least: int) -> None:
    """Wait until every live gateway obeys; ends the command where that was in vain."""
    if not isinstance(where, Remote):
        raise click.UsageError("It is stopped; but a settings file knows no gateways: --wait needs a hub.")
    barrier = Barrier(revision=where.stops().revision, channel="emergency", deadline_s=deadline_s, at_least=at_least)
    if not waited(where, barrier):
        raise SystemExit(1)


@command.command(
    "list",
    epilog="""\b
Examples:
  mcp-admission stop list --hub https://hub.example.com --token-file token
  mcp-admission stop list --config settings.yaml | jq .name
""",
)
@_hub
@token_option
@_config
def listed(url: str | None, token_file: Path | None, config: Path | None) -> None:
    """Show what is stopped: a table, or JSON lines at the end of a pipe."""
    where = _where(url, token_file, config)
    now = time.time_ns()
    found = where.stops().stops if isinstance(where, Remote) else _standing(where)
    standing = [stop for stop in found if stop.until_unix_ns > now]
    if not standing:
        click.echo("nothing is stopped", err=True)
    for stop in standing:
        if sys.stdout.isatty():
            row = f"{stop.id}  {stop.kind} {stop.name}  until {_moment(stop.until_unix_ns)}  {stop.by}: {stop.because}"
            click.echo(escaped(row))
        else:
            click.echo(json.dumps(to_builtins(stop)))


@command.command(
    "lift",
    epilog="""\b
Examples:
  mcp-admission stop lift stop-1f2e3d4c --because "Mended" --hub https://hub.example.com --token-file token
  mcp-admission stop lift stop-1f2e3d4c --because "Mended" --config settings.yaml
""",
)
@click.argument("stop_id", metavar="ID")
@because_option
@_hub
@token_option
@_config
def lift(stop_id: str, because: str, url: str | None, token_file: Path | None, config: Path | None) -> None:
    """End a stop before its time."""
    where = _where(url, token_file, config)
    if isinstance(where, Remote):
        where.lift(stop_id, because)
    elif _lifted(where, stop_id, because) is None:
        raise click.ClickException(f"No stop {stop_id!r} stands here: `mcp-admission stop list` shows what does.")
    click.echo(f"lifted {stop_id}", err=True)


def _where(url: str | None, token_file: Path | None, config: Path | None) -> Remote | Path:
    """The hub, or the state directory of the local gateway."""
    if (url is None) == (config is None):
        raise click.UsageError("Say who obeys: --hub URL, or --config FILE for one gateway on this machine.")
    if url is not None:
        return remote(url, token_file)
    settings = load(config, os.environ)
    if isinstance(settings, Problems):
        raise click.ClickException(f"these settings cannot be used:\n{settings}")
    return settings.state.directory


def _made(where: Remote | Path, kind: Kind, name: str, *, for_s: int, because: str) -> Stop:
    if isinstance(where, Remote):
        return where.stop({"kind": kind, "name": name, "for_s": for_s, "because": because})
    now = time.time_ns()
    stop = new_stop(kind, name, for_s=for_s, because=because, about=(getpass.getuser(), now))
    try:
        standing = stopped(where, stop, now)
    except OSError as error:
        raise _unwritten(where, error) from error
    if isinstance(standing, str):
        raise click.ClickException(f"Nothing is stopped: {standing}.")
    return stop


def _standing(directory: Path) -> tuple[Stop, ...]:
    try:
        return Stops(directory).standing().stops
    except OSError as error:
        raise _unwritten(directory, error) from error


def _lifted(directory: Path, stop_id: str, because: str) -> object:
    try:
        return lifted(directory, stop_id, by=getpass.getuser(), because=because, unix_ns=time.time_ns())
    except OSError as error:
        raise _unwritten(directory, error) from error


def _unwritten(directory: Path, error: OSError) -> click.ClickException:
    return click.ClickException(f"{directory} cannot be used: {error}. Nothing has changed.")


def _moment(unix_ns: int) -> str:
    return f"{datetime.fromtimestamp(unix_ns // _NS, UTC):%Y-%m-%dT%H:%M:%SZ}"
