"""SQLite itself agrees: a text that is one `select` does nothing but read."""

import sqlite3
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admission.sql_statements import sql_kinds

READS: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
WORDS: Final = (
    *("SELECT", "FROM", "WHERE", "WITH", "AS", "UNION", "VALUES", "RETURNING", "INTO", "ORDER BY", "LIMIT", "SET"),
    *("DELETE FROM", "INSERT INTO", "REPLACE INTO", "UPDATE", "DROP TABLE", "CREATE TABLE", "PRAGMA", "EXPLAIN"),
    *("t", "u", "a", "b", "1", "'x'", "''", "'", '"a"', '"', "`", "[", "]", "(", ")", ",", ";", "*", "=", "||", "."),
    *("--", "/*", "*/", "\n", "\\", "$$", "count(*)", "load_extension('x')", "lower(a)", "é"),
)
FORMS: Final = (
    "SELECT {0} FROM t",
    "WITH x AS ({0}) SELECT * FROM x",
    "SELECT '{0}' FROM t",
    'SELECT "{0}" FROM t',
    "SELECT 1; {0}",
    "SELECT ({0})",
    "{0}",
)


def text_of(form: str, words: list[str]) -> str:
    return form.format(" ".join(words))


texts = st.builds(text_of, st.sampled_from(FORMS), st.lists(st.sampled_from(WORDS), max_size=9))


def actions(text: str) -> set[int]:
    """Return what SQLite asks its authorizer for; -1 if it finds a second statement."""
    asked: set[int] = set()

    def authorize(action: int, *_: object) -> int:
        asked.add(action)
        return sqlite3.SQLITE_OK

    database = sqlite3.connect(":memory:")
    database.executescript("CREATE TABLE t (a, b); CREATE TABLE u (a, b)")
    database.set_authorizer(authorize)
    try:
        database.execute(text.rstrip("; \n"))  # sqlite3 takes an empty statement for a second one
    except (sqlite3.Error, sqlite3.Warning) as error:
        return {-1} if "one statement" in str(error) else set()
    finally:
        database.close()
    return asked


@settings(max_examples=400)
@given(texts)
def test_what_is_one_select_only_reads_in_sqlite(text: str) -> None:
    if sql_kinds(text, "sqlite") == ("select",):
        assert actions(text) <= READS


def test_the_authorizer_sees_a_write_and_a_second_statement() -> None:
    assert not actions("DELETE FROM t") <= READS
    assert not actions("INSERT INTO t VALUES (1, 2)") <= READS
    assert not actions("SELECT 1; SELECT 2") <= READS
