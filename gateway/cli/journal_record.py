"""Find the record of one decision by its id."""

from pathlib import Path

import click

from gateway.journal.query import find
from gateway.journal.segment_lines import Read


def decided_record(journal: Path, identifier: str) -> Read:
    """Return the decision whose call id or decision id begins with a text; end the command unless exactly one does."""
    found = find(journal, identifier)
    decided = [call.decided for call in found if call.decided["kind"] == "decided"]
    if not decided:
        refused = "It was refused before the policy was evaluated: `journal show` shows why."
        why = refused if found else "It may be in another gateway's journal."
        raise click.ClickException(f"No decision in this journal begins with {identifier!r}. {why}")
    if len({record.get("call_id") for record in decided}) > 1:
        calls = ", ".join(dict.fromkeys(str(record.get("call_id")) for record in decided))
        raise click.ClickException(f"Several calls begin with {identifier!r}: give one of {calls}")
    return decided[0]
