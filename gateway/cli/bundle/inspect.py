"""`mcp-admission bundle inspect`: the metadata of a bundle, for people and for programs.

Rule 1: nothing is verified, and the output says so. Text from a bundle is escaped.
"""

import time
from pathlib import Path
from typing import Final

import click
import msgspec

from gateway.artifact.inspection import BundleInspection, inspected
from gateway.artifact.manifest import moment_of
from gateway.cli.bundle.files import artifact_in
from gateway.cli.live_decisions import escaped

_DAY_NS: Final = 86_400 * 1_000_000_000


@click.command(
    "inspect",
    short_help="Show the metadata of a bundle.",
    epilog="""\b
Examples:
  mcp-admission bundle inspect bundle.tar.gz
  mcp-admission bundle inspect bundle.tar.gz --json
""",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, *, as_json: bool) -> None:
    """Show revision, digest, commit, times, stock library and contents of the bundle FILE; `verify` verifies them."""
    found = inspected(artifact_in(file))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    for name, value in _rows(found).items():
        click.echo(f"{name:14}{escaped(value)}")


def _rows(found: BundleInspection) -> dict[str, str]:
    said = found.metadata
    use = f", for the use {found.scope}" if found.scope else ""
    return {
        "revision": found.revision,
        "digest": f"{found.digest} ({found.size:,} bytes, {found.files} files)",
        "signed": f"with the key {found.signed_with}{use} (not verified here)" if found.signed_with else "no",
        "environment": said.environment,
        "seq": str(said.seq),
        "commit": f"{said.commit} by {said.author}" if said.commit else "not recorded",
        "built": said.built or "not recorded",
        "not after": _end(said.not_after),
        "reverts": said.reverts or "nothing",
        "library": f"{said.library.version or '?'} ({said.library.digest or 'no digest'})",
        "asks for": f"gateway {said.lowest_gateway} or newer, {said.input_schema}",
        "holds": ", ".join(f"{count} {noun}" for noun, count in found.holds.items()) or "no policy",
    }


def _end(text: str) -> str:
    end = moment_of(text)
    if end is None:
        return text or "never expires"
    days = (end - time.time_ns()) / _DAY_NS
    return f"{text} ({f'in {days:.0f} days' if days > 0 else 'expired'})"
