"""`mcp-admission stop --dry-run`: the effect of a stop, by the policy in force and the journal of this machine.

Rule 1: nothing is written or sent to a gateway.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from gateway.artifact.stops_bundle import Stop, selected
from gateway.cli.bundle_options import NamedBundle, reviewed
from gateway.cli.live_decisions import escaped
from gateway.cli.locate_opa import opa_found
from gateway.journal.reader import read
from gateway.journal.record_expander import DESCRIBED_NS, Expander, is_description
from gateway.journal.segment_lines import Read
from gateway.library import library
from gateway.review.candidate import Candidate, UnusableCandidate, from_bytes
from gateway.review.sidecar import Binary, SidecarError, asked
from gateway.review.stop_preview import Agents, Hits, agents_of, hits
from gateway.settings import Settings

_HOUR_NS: Final = 3_600_000_000_000
_SHOWN: Final = 10
_DECIDED: Final = b'"kind":"decided"'


def show(settings: Settings, content: bytes | None, stop: Stop) -> None:
    """Print the messages that the stop would refuse; `content` is the bundle that a gateway follows."""
    candidate = _in_force(settings, content)
    now = time.time_ns()
    try:
        found = asyncio.run(_hits(candidate, stop, _records(settings.journal.directory, now), now))
    except (SidecarError, OSError) as error:
        raise click.ClickException(f"The effect of the stop cannot be determined: {error}.") from error
    click.echo(escaped(f"a stop of {selected(stop)} would refuse, by the policy {candidate.revision}:"))
    click.echo(escaped(_of_agents(agents_of(stop, candidate.data))))
    click.echo(_of_messages(found))
    click.echo("Nothing is stopped.")


def _in_force(settings: Settings, content: bytes | None) -> Candidate:
    if settings.policy.bundle is None:
        return reviewed(
            NamedBundle(bundle=None, policy=settings.policy.directory, environment=settings.policy.environment)
        )
    found = (
        UnusableCandidate("this gateway has no policy yet")
        if content is None
        else from_bytes(content, "the policy in force")
    )
    if isinstance(found, UnusableCandidate):
        raise click.ClickException(found.why)
    return found


async def _hits(candidate: Candidate, stop: Stop, records: Iterator[Read], now: int) -> Hits:
    async with asked(candidate, Binary(opa_found(), library()), (stop,)) as exchange:
        return await hits(exchange, records, now)


def _records(journal: Path, now: int) -> Iterator[Read]:
    since = now - _HOUR_NS
    found = read(journal, since_ns=since - DESCRIBED_NS, wanted=lambda line: _DECIDED in line or is_description(line))
    decided = (record for record in Expander().expanded(found) if record["kind"] == "decided" and record["at"] >= since)
    return (record for record in decided if record.get("phase") == "request")


def _of_agents(found: Agents) -> str:
    count = f"{len(found.names)} of {found.of} agents"
    names = ", ".join(found.names[:_SHOWN]) + (", ..." if len(found.names) > _SHOWN else "")
    shown = f": {names}" if found.names and len(found.names) < found.of else ""
    return f"  {count if found.exact else f'at most {count}'}{shown}"


def _of_messages(found: Hits) -> str:
    known = found.of - found.unknown
    text = f"  {found.messages} of {known} messages that were allowed in the last hour, {found.calls} of them calls"
    unknown = f"; for {found.unknown} more this is unknown because their input was not recorded"
    return text + (unknown if found.unknown else "")
