"""Find the record of one decision by its id."""

from pathlib import Path

import click

from gateway.journal.query import find
from gateway.journal.segment_lines import Read


def decided_record(journal: Path, identifier: str) -> Read:
    """Return the decision whose call id or decision id begins so; ends the command unless there is exactly one."""
    found = find(journal, identifier)
    decided = [call.decided for call in found if call.decided["kind"] == "decided"]
    if not decided:
        why = "It was refused before the policy was asked: `journal show` says why." if found else "Is it another's?"
        raise click.ClickException(f"No decision in this journal begins with {identifier!r}. {why}")
    if len({record.get("call_id") for record in decided}) > 1:
        calls = ", ".join(dict.fromkeys(str(record.get("call_id")) for record in decided))
        raise click.ClickException(f"Several calls begin with {identifier!r}; say which: {calls}")
    return decided[0]
