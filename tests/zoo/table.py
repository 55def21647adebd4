"""Write the table of the zoo's results to docs/zoo.md, with its date.

    python -m tests.zoo.table

Rule 1: every entry has a row; one without a result says so, so that the table never looks more complete than the run.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.environment import ROOT
from tests.zoo.entry import clients, runs
from tests.zoo.hosted import fixtures
from tests.zoo.results import Result, results

DOCUMENT: Final = ROOT / "docs/zoo.md"
BEGIN: Final = "<!-- table -->"
END: Final = "<!-- end of table -->"
_HEADINGS: Final = {"server": "Servers", "client": "Clients", "fixture": "Recorded fixtures of hosted clients"}


def table(found: Iterable[Result], expected: dict[str, list[str]], date: str) -> str:
    """Return the table of all kinds; `expected` are the names that each kind must have."""
    kept = {(one.kind, one.name): one for one in found}
    lines = [f"Results of {date}."]
    for kind, names in expected.items():
        lines += ["", f"### {_HEADINGS[kind]}", "", "| entry | package | version | steps equal | differences |"]
        lines.append("|---|---|---|---|---|")
        lines += [_row(name, kept.get((kind, name))) for name in names]
    return "\n".join(lines)


def _row(name: str, result: Result | None) -> str:
    if result is None:
        return f"| {name} | | | not run | |"
    differences = "; ".join(f"{step}: {reason}" for step, reason in result.differences.items())
    equal = "failed" if result.problem else f"{result.equal} of {result.done}"
    return f"| {result.title} | {result.package} | {result.version} | {equal} | {differences.replace('|', '/')} |"


def written(document: str, made: str) -> str:
    """Return a document with its table replaced."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def main(path: Path = DOCUMENT) -> int:
    """Write the table; returns 1 if an entry has no result or failed."""
    found = results()
    expected = {
        "server": [run.name for run in runs()],
        "client": [directory.name for directory, _ in clients()],
        "fixture": [name for name, _ in fixtures()],
    }
    made = table(found, expected, datetime.now(UTC).date().isoformat())
    path.write_text(written(path.read_text(encoding="utf-8"), made), encoding="utf-8")
    complete = {(one.kind, one.name) for one in found if not one.problem}
    return 0 if complete >= {(kind, name) for kind, names in expected.items() for name in names} else 1


if __name__ == "__main__":
    sys.exit(main())
