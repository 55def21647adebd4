"""Strings and docstrings of the gateway are plain American English.

`python tests/unit/test_language.py gateway/hub` lists the findings of a directory.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "gateway"

BANNED: Final = {
    "write `is not a valid x`, not `is no x`": (
        r"\b(?:is|are|was|were) no\b(?! (?:longer|more|less|such|later|earlier))"
    ),
    "use the noun or the role, not `whoever`, `whatever`": r"\b(?:who(?:m|se)?ever|whatever|whichever)\b",
    "name the actor, not `somebody`, `nobody`": r"\b(?:some|no|every|any)body\b",
    "use log, report, show, return or warn, not `tell`": r"\b(?:tell|tells|told|telling)\b",
    "use if or when; `where` is for places": (
        r"\bwhere (?:it|there|nothing|no|none|one|that|this|they|neither|only)\b|\b(?:None|empty|0|null|false) where\b"
    ),
    "use the noun, not `what is ...`": (
        r"(?:^|[.;:] |\b(?:of|for|from|in|on|by|than|to|and|or|as) )what (?:is|was|are|were|has|had)\b"
    ),
    "start with an imperative verb or a noun": (
        r"\A(?-i:What(?! to do:)|Whether|Who|Whose|Whom(?! to ask:)|Where|How)\b(?![^.]*\?)"
    ),
    "use a common word": (
        r"\b(?:anew|beside|of ours|mend|mends|mended|borne|bears|herewith|opens nothing|let go|taken up|takes up"
        r"|nought|thereof|whereof|besides|henceforth|hitherto|lest|naught)\b"
    ),
    "use American spelling": (
        r"\b\w*(?:artefact|misspelt|learnt|travelling|judgement|behaviour|colour|recognis|normalis|authoris|serialis"
        r"|licence|cancelled|cancelling|labelled|favour|honour|centre|catalogue)\w*"
    ),
}
"""What to do -> the pattern that finds the construction."""

ALLOWED: Final = (
    "notifications/cancelled",  # a method of MCP
    "sms tell trade",  # verbs in names of tools
    "artefacts/",  # the hub's directory and its HTTP path: both are stored or called by other programs
    '"artefacts"',
    "/v1/artefacts",
    "artefact_unknown",  # public reason codes
    "artefact_pruned",
    "artefact_damaged",
)
"""Texts that stand for names which other programs know."""

_PATTERNS: Final = {advice: re.compile(pattern, re.MULTILINE | re.IGNORECASE) for advice, pattern in BANNED.items()}
_WORDS: Final = re.compile(r"[A-Za-z]+ [A-Za-z]+")
_QUOTED: Final = re.compile(r"`[^`]*`")


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the value of each string that has words."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            whole = "".join(str(part.value) if isinstance(part, ast.Constant) else "`x`" for part in node.values)
            yield node.lineno, whole
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _WORDS.search(node.value):
            yield node.lineno, node.value


def findings(source: str) -> list[str]:
    """Return the banned constructions of a module, each with its line, its words and the advice."""
    found: dict[str, None] = {}
    for line, text in texts(ast.parse(source)):
        plain = _QUOTED.sub("`x`", text)
        for allowed in ALLOWED:
            plain = plain.replace(allowed, "")
        for advice, pattern in _PATTERNS.items():
            for match in pattern.finditer(plain):
                found[f"{line + plain[: match.start()].count(chr(10))}: {match.group(0).strip()!r}: {advice}"] = None
    return list(found)


def listed(directory: Path) -> list[str]:
    """Return the findings in all Python files below a directory."""
    return [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in sorted(directory.rglob("*.py"))
        for finding in findings(path.read_text())
    ]


@pytest.mark.parametrize(
    "text",
    [
        "`x` is no id.",
        "Whoever reads this.",
        "It is told of what happened.",
        "Nobody may call this.",
        "None where it was not found.",
        "The digest of what is packed.",
        "What a bundle says.",
        "Build it anew.",
        "The artefact.",
        "The behaviour of a cancelled call.",
    ],
)
def test_a_banned_construction_is_found_in_strings_and_docstrings(text: str) -> None:
    assert findings(f"NOTE = {text!r}")
    assert findings(f"def f():\n    {text!r}\n")
    assert findings(f"NOTE = f{text + '{x}'!r}")


@pytest.mark.parametrize(
    "text",
    [
        "`x` is no longer valid.",
        "Return the permit.",
        "The method notifications/cancelled of MCP.",
        "The directory where the journal is.",
        "Say what is wrong, where, and what to do.",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert findings(f"NOTE = {text!r}") == []


def named(directory: Path) -> str:
    return directory.name


@pytest.mark.parametrize("package", sorted(path.parent for path in PACKAGE.glob("*/__init__.py")), ids=named)
def test_the_texts_of_a_package_are_plain_english(package: Path) -> None:
    assert listed(package) == []


def test_the_texts_of_modules_without_a_package_are_plain_english() -> None:
    assert [finding for path in sorted(PACKAGE.glob("*.py")) for finding in findings(path.read_text())] == []


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        sys.stdout.write("\n".join([*listed(Path(argument).resolve()), ""]))
