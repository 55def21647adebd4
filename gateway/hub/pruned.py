"""Explain a missing artifact: never uploaded, or pruned, and how to rebuild it.

Rule 1: an artifact is recorded in `pruned.jsonl` before it is removed.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.hub.line_journal import lines
from gateway.hub.promotion import MoveRefused

JOURNAL: Final = "pruned.jsonl"


class Pruned(Struct, frozen=True, kw_only=True):
    """One line of the journal: an artifact that was removed because it was no longer needed."""

    time: str
    digest: str
    revision: str
    environment: str
    commit: str
    built: str
    by: str


_PRUNED: Final = msgspec.json.Decoder(Pruned)


def absent(directory: Path, digest: str) -> MoveRefused:
    """Return why a hub's directory does not contain an artifact."""
    found = next((each for each in reversed(lines(directory / JOURNAL)) if digest.encode() in each), None)
    try:
        pruned = None if found is None else _PRUNED.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pruned = None  # the line is damaged, but the artifact is missing either way
    if pruned is None:
        return MoveRefused(
            "artefact_unknown",
            f"artifact {digest} is not in this hub",
            "Upload it first, or look for its digest in the history.",
        )
    return MoveRefused("artefact_pruned", f"{pruned.revision} was pruned from here at {pruned.time}", _remedy(pruned))


def _remedy(pruned: Pruned) -> str:
    where = f"Check out the commit {pruned.commit}" if pruned.commit else "Check out the sources that it was built from"
    environment = pruned.environment or "ENVIRONMENT"
    return (
        f"{where}, build it again (`mcp-admission bundle build {environment}`), sign and publish it under a new number"
        f"{f'; it was built at {pruned.built}' if pruned.built else ''}."
    )
