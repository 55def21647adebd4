"""`mcp-admission stop`: refuse all messages that match the selectors, now and for a limited time.

Rule 1: a stop can only refuse. It ends by itself within a day and records the reason for it.
Rule 2: with a hub, all its gateways enforce the stop; otherwise the gateway of the settings file does.
"""

import getpass
import json
import re
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from msgspec import to_builtins

from gateway.artifact.stops_bundle import LONGEST_S, Kind, Stop, fault, selected
from gateway.cli.live_decisions import escaped
from gateway.cli.local_stops import end, kept_policy, loaded, make, standing
from gateway.cli.publishing.hub_client import HubClient, remote
from gateway.cli.publishing.hub_options import because_option, token_option, wait_options
from gateway.cli.publishing.rollout_barrier import RolloutBarrier, waited
from gateway.cli.publishing.stop_selectors import chosen, selector_options
from gateway.hub.responses import Stopped
from gateway.hub.stop_store import new_stop
from gateway.settings import Settings

_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([smh])")
_NS: Final = 1_000_000_000
_FILE: Final = click.Path(dir_okay=False, exists=True, path_type=Path)
_OF_A_HUB: Final = (
    "A hub does not know the agents and their calls: run this on a gateway, with --config. Nothing is stopped."
)


def _span(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Convert the value of `--for` to seconds."""
    found = _SPAN.fullmatch(value or "")
    if value is not None and found is None:
        raise click.BadParameter(f"`{value}` is not a valid duration: write 30m or 4h, at most 24h.")
    span = None if found is None else int(found[1]) * _UNITS[found[2]]
    if span is not None and span > LONGEST_S:
        raise click.BadParameter(f"`{value}` is longer than 24 hours. For a permanent block, write a rule.")
    return span


_hub = click.option("--hub", "url", metavar="URL", help="The hub whose gateways enforce the stop.")
_config = click.option("--config", type=_FILE, help="Without a hub: the settings file of the gateway to stop.")


@click.group(
    "stop",
    short_help="Stop agents, sessions, servers, targets or actions now; list, lift.",
    invoke_without_command=True,
    epilog="""\b
Examples:
  mcp-admission stop --agent support-bot --for 4h --because "It mails strangers" --hub https://hub.example.com
  mcp-admission stop --target github/create_issue --for 30m --because "Flood" --config settings.yaml
  mcp-admission stop --kind cursor --action delete --for 1h --because "It deletes too much" --config settings.yaml
  mcp-admission stop --tag messaging --action send --dry-run --config settings.yaml
  mcp-admission stop list --hub https://hub.example.com --token-file token
  mcp-admission stop lift stop-1f2e3d4c --because "Fixed" --hub https://hub.example.com --token-file token
""",
)
@selector_options
@click.option("--for", "for_s", callback=_span, metavar="SPAN", help="Duration, such as 30m or 4h; at most 24h.")
@click.option("--because", help="Reason, shown to refused callers and recorded in the journal.")
@click.option("--dry-run", is_flag=True, help="With --config: show what would be refused, and change nothing.")
@_hub
@token_option
@_config
@wait_options
@click.pass_context
def command(ctx: click.Context, for_s: int | None, because: str | None, **options: Any) -> None:
    """Refuse every message that matches all of the selectors, from now until the stop ends by itself.

    Running calls are ended too. No build or CI run is needed. With --hub, all gateways that follow the hub enforce the
    stop; with --config, only the gateway of that settings file does. The id of the stop is printed. With --wait, the
    command returns when every live gateway enforces it.
    """
    if ctx.invoked_subcommand is not None:
        return
    selection = chosen(options)
    if options["dry_run"]:
        _preview(selection, for_s or 3600, options["url"], options["config"])
        return
    if not selection or for_s is None or not because:
        raise click.UsageError(
            "Give at least one selector (such as --agent or --server; see --help), --for and --because."
        )
    where = _where(options["url"], options["token_file"], options["config"])
    stop = _made(where, selection, for_s=for_s, because=because)
    click.echo(f"stopped {escaped(selected(stop))} until {_moment(stop.until_unix_ns)}", err=True)
    click.echo(stop.id)
    if isinstance(stop, Stopped) and stop.unborne:
        click.echo(escaped(f"{stop.unborne}: is it misspelled? The stop is in force nevertheless."), err=True)
    if options["wait"]:
        _obeyed(where, options["deadline"], options["at_least"])


def _obeyed(where: HubClient | Settings, deadline_s: float, at_least: int) -> None:
    """Wait until every live gateway enforces the stop; end the command if that fails."""
    if not isinstance(where, HubClient):
        raise click.UsageError("Stop applied. --wait needs --hub (with --config it cannot wait for gateways).")
    barrier = RolloutBarrier(
        revision=where.stops().revision, channel="emergency", deadline_s=deadline_s, at_least=at_least
    )
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
    """Show the stops: a table, or JSON lines if the output is a pipe."""
    where = _where(url, token_file, config)
    now = time.time_ns()
    found = where.stops().stops if isinstance(where, HubClient) else standing(where)
    lasting = [stop for stop in found if stop.until_unix_ns > now]
    if not lasting:
        click.echo("No stops are in force.", err=True)
    for stop in lasting:
        if sys.stdout.isatty():
            row = f"{stop.id}  {selected(stop)}  until {_moment(stop.until_unix_ns)}  {stop.by}: {stop.because}"
            click.echo(escaped(row))
        else:
            click.echo(json.dumps(to_builtins(stop)))


@command.command(
    "lift",
    epilog="""\b
Examples:
  mcp-admission stop lift stop-1f2e3d4c --because "Fixed" --hub https://hub.example.com --token-file token
  mcp-admission stop lift stop-1f2e3d4c --because "Fixed" --config settings.yaml
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
    if isinstance(where, HubClient):
        where.lift(stop_id, because)
    elif not end(where, stop_id, because):
        raise click.ClickException(f"Stop {stop_id!r} does not exist: `mcp-admission stop list` shows the stops.")
    click.echo(f"lifted {stop_id}", err=True)


def _where(url: str | None, token_file: Path | None, config: Path | None) -> HubClient | Settings:
    """Return the hub, or the settings of the local gateway."""
    if (url is None) == (config is None):
        raise click.UsageError("Give --hub URL, or --config FILE for one gateway on this machine.")
    return remote(url, token_file) if url is not None else loaded(config)


def _preview(selection: Mapping[Kind, str], for_s: int, url: str | None, config: Path | None) -> None:
    if not selection:
        raise click.UsageError("Give at least one selector (such as --agent or --server; see --help).")
    stop = new_stop(selection, for_s=for_s, because="a dry run", about=(getpass.getuser(), time.time_ns()))
    wrong = fault(stop, time.time_ns())
    if wrong:
        raise click.ClickException(f"Nothing would be stopped: {wrong}.")
    if config is None:
        raise click.ClickException(_OF_A_HUB if url else "Name the gateway with --config FILE.")
    from gateway.cli.stop_preview import show  # noqa: PLC0415 - a stop need not wait for its modules

    settings = loaded(config)
    show(settings, kept_policy(settings), stop)


def _made(where: HubClient | Settings, selection: Mapping[Kind, str], *, for_s: int, because: str) -> Stop:
    stop = new_stop(selection, for_s=for_s, because=because, about=(getpass.getuser(), time.time_ns()))
    if not isinstance(where, HubClient):
        make(where, stop)
        return stop
    wanted = {"kind": stop.kind, "name": stop.name, "for_s": for_s, "because": because}
    return where.stop({**wanted, "also": stop.also} if stop.also else wanted)


def _moment(unix_ns: int) -> str:
    return f"{datetime.fromtimestamp(unix_ns // _NS, UTC):%Y-%m-%dT%H:%M:%SZ}"
