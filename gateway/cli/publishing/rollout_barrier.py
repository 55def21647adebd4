"""A wait, shown live, until the live gateways of a channel enforce a revision.

Rule 1: gateways that have not confirmed are named with the revision that they enforce and the reason. A passed
deadline, a replaced revision and an unreachable hub are failures, never successes.
Rule 2: a terminal gets a progress bar, other output a line for each change.
"""

import sys
import time
from typing import Final

import click
from msgspec import Struct

from gateway.cli.live_decisions import colored, escaped
from gateway.cli.publishing.hub_client import HubClient, UnreachableError
from gateway.hub.rollout import Rollout

_RHYTHM_S: Final = 0.05
_WIDTH: Final = 30


class RolloutBarrier(Struct, frozen=True, kw_only=True):
    """The revision to wait for, its channel, the deadline and the number of gateways."""

    revision: str
    channel: str = ""
    """Empty: the channel that was last moved to the revision."""
    deadline_s: float = 60
    at_least: int = 1


def waited(remote: HubClient, barrier: RolloutBarrier) -> bool:
    """Wait and show progress; return True if all live gateways, and at least `at_least`, enforce the revision."""
    end = time.monotonic() + barrier.deadline_s
    shown = ""
    while True:
        now = _looked(remote, barrier)
        line = _line(now, barrier)
        if line != shown:
            _show(line)
            shown = line
        if isinstance(now, Rollout) and now.complete and len(now.confirmed) >= barrier.at_least:
            return _ended(confirmed_text(now), ok=True)
        if isinstance(now, Rollout) and now.in_force != barrier.revision:
            return _ended(f"{barrier.revision} was replaced by {now.in_force} in the meantime.", ok=False)
        if time.monotonic() >= end:
            return _ended(late_text(now, barrier), ok=False)
        time.sleep(_RHYTHM_S)  # noqa: TID251 - the polling interval, bounded by the deadline


def _looked(remote: HubClient, barrier: RolloutBarrier) -> Rollout | str:
    try:
        return remote.rollout(barrier.revision, barrier.channel)
    except UnreachableError as error:  # a hub that restarts is available again soon
        return error.message


def confirmed_text(rollout: Rollout) -> str:
    """Return how many gateways enforce the revision, and after how long."""
    times = [each.after_ms for each in rollout.confirmed if each.after_ms is not None]
    slowest = f", the last after {max(times)} ms" if times else ""
    count = len(rollout.confirmed)
    said = (
        f"{rollout.revision} is enforced by {count} gateway{'s' if count != 1 else ''} of {rollout.channel}{slowest}."
    )
    return "\n".join((said, *_unheard(rollout)))


def late_text(found: Rollout | str, barrier: RolloutBarrier) -> str:
    """Return the gateways that do not enforce the revision at the deadline, and why."""
    head = f"{barrier.revision} is not enforced everywhere after {barrier.deadline_s:g} s."
    if isinstance(found, str):
        return f"{head}\n  {found}"
    rows = [
        f"  {escaped(each.gateway)} enforces {escaped(each.enforces) or 'nothing (or its workers differ)'}"
        f"{': ' + escaped(each.problem) if each.problem else ''} (last seen {each.seen_s_ago:g} s ago)"
        for each in found.pending
    ]
    if not rows:
        rows = [
            f"  {len(found.confirmed)} gateways have confirmed, {barrier.at_least} are required."
            if len(found.confirmed) < barrier.at_least
            else "  The hub has restarted, and not all gateways have reported yet: check again with `rollout`."
        ]
    return "\n".join((head, *rows, *_unheard(found)))


def _unheard(rollout: Rollout) -> list[str]:
    return [
        f"  Not counted: {escaped(each.gateway)}, whose token {each.token} may not report under this id"
        " (`gateways` in the hub's settings)."
        for each in rollout.unheard
    ]


def bar(done: int, total: int) -> str:
    """Return a progress bar."""
    filled = _WIDTH * done // total if total else 0
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}"


def _line(found: Rollout | str, barrier: RolloutBarrier) -> str:
    if isinstance(found, str):
        return found
    done, total = len(found.confirmed), len(found.confirmed) + len(found.pending)
    return f"{bar(done, max(total, barrier.at_least))} gateways of {found.channel} enforce {barrier.revision}"


def _show(line: str) -> None:
    if colored(sys.stderr):
        click.echo(f"\r\x1b[2K{line}", nl=False, err=True)
    else:
        click.echo(line, err=True)


def _ended(text: str, *, ok: bool) -> bool:
    if colored(sys.stderr):
        click.echo(err=True)
    click.secho(text, err=True, fg="green" if ok else "red")
    return ok
