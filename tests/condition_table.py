"""The table of all tests of conditions against all kinds of arguments, as the Rego judges them, for bundles/README.md.

`python -m tests.condition_table` writes the table into the document; `make conditions` does it, and a test compares.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from gateway.opa.binary import find
from gateway.policy.sources.schema_checks import schema

ROOT: Final = Path(__file__).resolve().parents[1]
README: Final = ROOT / "bundles" / "README.md"
BEGIN: Final = "<!-- conditions: made by `make conditions` -->\n"
END: Final = "<!-- end of conditions -->\n"
MISSING: Final = "missing"

COLUMNS: Final[dict[str, Any]] = {
    MISSING: MISSING,
    "`null`": None,
    "`true`": True,
    "`5`": 5,
    '`"a"`': "a",
    "`{}`": {},
    "`[]`": [],
    '`["a"]`': ["a"],
    '`["a", 5]`': ["a", 5],
}
ROWS: Final[dict[str, Any]] = {
    "equals: a": {"equals": "a"},
    "equals: null": {"equals": None},
    "in: [a, b]": {"in": ["a", "b"]},
    "in: [a, 5]": {"in": ["a", 5]},
    "prefix: a": {"prefix": "a"},
    'glob: "b*"': {"glob": "b*"},
    'matches: "^a$"': {"matches": "^a$"},
    "at_most: 5": {"at_most": 5},
    "at_least: 5": {"at_least": 5},
    "above: 5": {"above": 5},
    "below: 5": {"below": 5},
    "length: {at_most: 1}": {"length": {"at_most": 1}},
    "absent: true": {"absent": True},
    "not: {absent: true}": {"not": {"absent": True}},
    "not: {equals: a}": {"not": {"equals": "a"}},
    "none_of: [{equals: a}, {above: 5}]": {"none_of": [{"equals": "a"}, {"above": 5}]},
    "none_of: [{equals: a}, {absent: true}]": {"none_of": [{"equals": "a"}, {"absent": True}]},
    "any_element: {equals: a}": {"any_element": {"equals": "a"}},
    "every_element: {equals: a}": {"every_element": {"equals": "a"}},
    "not: {any_element: {equals: a}}": {"not": {"any_element": {"equals": "a"}}},
    "host: [b.example]": {"host": ["b.example"]},
    "domain: [b.example]": {"domain": ["b.example"]},
    "within: [a]": {"within": ["a"]},
    "sql: {dialect: sqlite, only: [select]}": {"sql": {"dialect": "sqlite", "only": ["select"]}},
}
FACTS: Final = {"/x": {"path": "a"}}
"""What the gateway finds out about `a`: it is a path, and neither a URL nor an address."""
QUERY: Final = """[verdict |
    some pair in input.pairs
    holds := {true | data.mcp.lib.conditions.holds(pair.condition) with input as pair}
    fails := {true | data.mcp.lib.conditions.fails(pair.condition) with input as pair}
    verdict := {"holds": holds, "fails": fails}
]"""


def lacking() -> set[str]:
    """Return the words of the language that the table leaves out."""
    return set(schema("rules")["$defs"]["test"]["properties"]) - {word for test in ROWS.values() for word in test}


def table(opa: Path) -> str:
    """Return the table, judged by the policy library."""
    pairs = [
        {
            "condition": {"path": "/x", **test},
            "arguments": {} if value == MISSING else {"x": value},
            "facts": FACTS if value == "a" else {},
        }
        for test in ROWS.values()
        for value in COLUMNS.values()
    ]
    verdicts = iter(_judged(opa, pairs))
    lines = [f"| test | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    lines += [f"| `{name}` | {' | '.join(next(verdicts) for _ in COLUMNS)} |" for name in ROWS]
    return "\n".join(lines) + "\n"


def _judged(opa: Path, pairs: list[dict[str, Any]]) -> list[str]:
    command: list[str | Path] = [opa, "eval", "--format=raw", "--strict-builtin-errors", "--stdin-input"]
    command += [f"--data={ROOT / 'rego/mcp/lib' / part}" for part in ("conditions", "patterns")]
    ran = subprocess.run(
        [*command, QUERY], input=json.dumps({"pairs": pairs}), capture_output=True, text=True, check=True
    )
    return ["holds" if each["holds"] else "fails" if each["fails"] else "?" for each in json.loads(ran.stdout)]


def written(document: str) -> str:
    """Return the table that a document has."""
    return document.partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    """Write the table into bundles/README.md."""
    opa = find()
    if opa is None:
        raise SystemExit("OPA is not on this machine: run `make opa`.")
    text = README.read_text()
    README.write_text(text.replace(BEGIN + written(text) + END, BEGIN + table(opa) + END))


if __name__ == "__main__":
    main()
