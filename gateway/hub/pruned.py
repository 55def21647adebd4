"""What is said of an artifact that is not there: never stored, or pruned, and then how to have it again.

Rule 1: what was pruned is in `pruned.jsonl` before it goes.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.hub.line_journal import lines
from gateway.hub.promotion import MoveRefused

JOURNAL: Final = "pruned.jsonl"


class Pruned(Struct, frozen=True, kw_only=True):
    """One line of the journal: an artifact that was removed because nobody needed it."""

    time: str
    digest: str
    revision: str
    environment: str
    commit: str
    built: str
    by: str


_PRUNED: Final = msgspec.json.Decoder(Pruned)


def absent(directory: Path, digest: str) -> MoveRefused:
    """Why a hub's directory has no such artifact."""
    found = next((each for each in reversed(lines(directory / JOURNAL)) if digest.encode() in each), None)
    try:
        pruned = None if found is None else _PRUNED.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pruned = None  # a damaged line: the artifact is gone all the same
    if pruned is None:
        return MoveRefused(
            "artefact_unknown",
            f"no artifact {digest} is here",
            "Upload it first, or look for its digest in the history.",
        )
    return MoveRefused("artefact_pruned", f"{pruned.revision} was pruned from here at {pruned.time}", _remedy(pruned))


def _remedy(pruned: Pruned) -> str:
    where = f"Check out the commit {pruned.commit}" if pruned.commit else "Check out what it was built from"
    environment = pruned.environment or "ENVIRONMENT"
    return (
        f"{where}, build it again (`mcp-admission bundle build {environment}`), sign and publish it under a new number"
        f"{f'; it was built at {pruned.built}' if pruned.built else ''}."
    )
