"""The kinds of the statements of one SQL text, by a parser (sqlglot, the extra `sql`).

Rule 1: a text that a database could divide differently from the parser has no reading: comments, backslashes, dollar
quotes and control characters move the end of a string or a statement.
Rule 2: a kind counts at any depth: `WITH x AS (DELETE ...) SELECT` is a `delete` and a `select`.
Rule 3: a function that the parser does not know is a `call`, and a statement that it does not know is `other`: both may
change data. Effects of views, triggers and known functions in the database are not seen.
Rule 4: parsing takes time that grows with the text only, so the text must be short and flat.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Final, Literal, get_args

Dialect = Literal["mysql", "postgres", "sqlite"]
"""The dialects in which every statement ends at a semicolon; T-SQL does not need one."""
StatementKind = Literal["call", "delete", "insert", "lock", "merge", "other", "select", "set", "several", "update"]
"""Kinds of statements; `several` if there is more than one."""
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)
KINDS: Final[tuple[StatementKind, ...]] = get_args(StatementKind)
CHARACTERS: Final = 4_000
NESTED: Final = 20
_UNCLEAR: Final = ("--", "/*", "*/", "\\", "$", "{#", "{{", "{%")
"""Starts of comments, escapes, dollar quotes and templates; parsers differ in the ones that they know."""
_UNCLEAR_IN: Final[Mapping[Dialect, tuple[str, ...]]] = {"mysql": ("#",), "postgres": ("`",), "sqlite": ("[", "]")}
"""Signs that quote or start a comment in only one database."""
_SPACE: Final = frozenset(" \t\r\n")
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")


@cache
def is_available() -> bool:
    """Return whether the parser is installed. It is an extra, loaded only if a policy reads SQL."""
    try:
        from sqlglot import parser  # noqa: PLC0415
    except ImportError:
        return False
    parser.logger.disabled = True  # its warnings repeat the text, which is the caller's
    return True


def sql_kinds(text: str, dialect: Dialect) -> tuple[StatementKind, ...] | None:
    """Return the kinds of all statements in a text; None if they are not certain."""
    if not is_available() or not _is_clear(text, dialect):
        return None
    from sqlglot import Dialect as Reader  # noqa: PLC0415
    from sqlglot import ErrorLevel  # noqa: PLC0415
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    reader = Reader.get_or_raise(dialect)
    try:
        tokens = reader.tokenize(text)
        parsed = [tree for tree in reader.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text) if tree]
        kinds = {kind for tree in parsed for kind in _kinds(tree)}
    except (SqlglotError, RecursionError, ValueError):
        return None
    if len(parsed) != _count(tokens):
        return None
    if len(parsed) > 1:
        kinds.add("several")
    return tuple(kind for kind in KINDS if kind in kinds) or None


def _count(tokens: Iterable[Any]) -> int:
    """Return the number of statements between semicolons; for some texts the parser finds none."""
    ends = [token.token_type.name == "SEMICOLON" for token in tokens]
    return sum(not is_end and was_end for was_end, is_end in pairwise([True, *ends]))


def _is_clear(text: str, dialect: Dialect) -> bool:
    """Return whether every database of the dialect divides the text as the parser does."""
    if len(text) > CHARACTERS or any(mark in text for mark in (*_UNCLEAR, *_UNCLEAR_IN[dialect])):
        return False
    return all(map(_is_plain, text)) and _depth(text) <= NESTED


def _is_plain(character: str) -> bool:
    return character in _SPACE or (character.isprintable() and (character == " " or not character.isspace()))


def _depth(text: str) -> int:
    """Return the deepest nesting of brackets and CASE expressions; those in strings count too."""
    depth = deepest = text.upper().count("CASE")
    for character in text:
        if character in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif character in _CLOSING:
            depth -= 1
    return deepest


def _kinds(tree: Any) -> Iterator[StatementKind]:
    """Yield the kind of a statement and of everything in it that does more than read."""
    from sqlglot import exp  # noqa: PLC0415

    if not isinstance(tree, exp.Query | exp.Insert | exp.Update | exp.Delete | exp.Merge):
        yield "other"
    for node in tree.walk():
        if kind := _KINDS.get(type(node).__name__):
            yield kind
        elif isinstance(node, exp.Query):
            yield "select"
        elif isinstance(node, exp.Create | exp.Copy | exp.Command):
            yield "other"


_KINDS: Final[dict[str, StatementKind]] = {
    "Anonymous": "call",
    "AnonymousAggFunc": "call",
    "CombinedAggFunc": "call",
    "Delete": "delete",
    "Insert": "insert",
    "Into": "insert",
    "Lock": "lock",
    "Merge": "merge",
    "NextValueFor": "call",
    "PropertyEQ": "set",
    "ReadCSV": "call",
    "ReadParquet": "call",
    "Update": "update",
}
"""The parser's types that are more specific than their base class."""
