"""Only SQL texts that just read are called `select`, and an unclear text has no reading."""

import pytest

from gateway.admission.sql_statements import CHARACTERS, DIALECTS, Dialect, sql_kinds

ONLY_READ = ("select",)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "select a, sum(b) over (partition by c) from t where d in (select e from u) order by 1 limit 5;",
        "(((SELECT 1)))",
        "SELECT 1 UNION ALL SELECT 2",
        "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 2) SELECT * FROM r",
        "SELECT 'it''s; DELETE FROM t'",
        "SELECT count(*) FROM information_schema.tables\n\tWHERE name LIKE '%delete%'",
        "SELECT 'Zürich', '\N{SLICE OF PIZZA}' FROM \"order\"",
    ],
)
def test_a_text_that_only_reads_is_one_select(text: str, dialect: Dialect) -> None:
    assert sql_kinds(text, dialect) == ONLY_READ


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "delete"),
        ("WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM x", "update"),
        ("WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x", "insert"),
        ("SELECT * INTO t FROM x", "insert"),
        ("SELECT * FROM t FOR UPDATE", "lock"),
        ("SELECT 1; DELETE FROM t", "delete"),
        ("SELECT 1;;DROP TABLE t", "other"),
        ("INSERT INTO t SELECT 1", "insert"),
        ("UPDATE t SET a = (SELECT 1)", "update"),
        ("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "merge"),
        ("CREATE TABLE t AS SELECT 1", "other"),
        ("DROP TABLE t", "other"),
        ("TRUNCATE TABLE t", "other"),
        ("EXPLAIN ANALYZE DELETE FROM t", "other"),
        ("CALL p()", "other"),
        ("COPY t TO '/tmp/x'", "other"),
        ("GRANT ALL ON t TO bob", "other"),
        ("BEGIN", "other"),
        ("SET ROLE admin", "other"),
        ("VACUUM", "other"),
        ("PRAGMA writable_schema = 1", "other"),
        ("ATTACH DATABASE 'x' AS y", "other"),
        ("SELECT pg_terminate_backend(1)", "call"),
        ("SELECT load_extension('x')", "call"),
        ("SELECT load_file('/etc/passwd')", "call"),
        ("SELECT * FROM dblink('x', 'DELETE FROM t') AS t(a int)", "call"),
        ("SELECT nextval('s')", "call"),
        ("SELECT @x := 1", "set"),
    ],
)
def test_statements_that_may_change_data_are_named_at_any_depth(text: str, kind: str, dialect: Dialect) -> None:
    found = sql_kinds(text, dialect)
    assert found is None or kind in found or "other" in found
    assert found != ONLY_READ


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ; ",
        "SELECT 1; AS",
        "SELECT 1 -- ; DELETE FROM t",
        "SELECT 1 /*!50000 ; DELETE FROM t */",
        "SELECT /* */ 1",
        "SELECT '\\'; DELETE FROM t; '",
        "SELECT E'\\'; DELETE FROM t; '",
        "SELECT $$'$$; DELETE FROM t; $$'$$",
        "SELECT $a$ ; DELETE FROM t; $a$",
        "SELECT {# '; DELETE FROM t; #} 1",
        "SELECT 'open",
        "SELECT 1\0; DELETE FROM t",
        "SELECT\N{NO-BREAK SPACE}1",
        "SELECT 1\x0b; DELETE FROM t",
        "SELECT\N{ZERO WIDTH SPACE}1",
        "SELECT " + "(" * 21 + "1" + ")" * 21,
        "SELECT " + "CASE WHEN 1 THEN " * 21 + "1" + " END" * 21,
        "SELECT " + ", ".join(["1"] * CHARACTERS),
        "DELETE FROM",
    ],
)
def test_a_text_that_parsers_divide_differently_has_no_reading(text: str, dialect: Dialect) -> None:
    assert sql_kinds(text, dialect) is None


def test_quotes_that_one_database_does_not_know_have_no_reading() -> None:
    assert sql_kinds("SELECT `a; DELETE FROM t; `", "postgres") is None
    assert sql_kinds("SELECT `a` FROM t", "mysql") == ONLY_READ
    assert sql_kinds("SELECT 1 # '\n; DELETE FROM t", "mysql") is None
    assert sql_kinds("SELECT [a'; DELETE FROM t; '] FROM t", "sqlite") is None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_several_statements_are_named(dialect: Dialect) -> None:
    assert sql_kinds("SELECT 1; SELECT 2", dialect) == ("select", "several")
    assert sql_kinds("SELECT 1;", dialect) == ONLY_READ


def test_the_parser_logs_nothing_of_the_text(caplog: pytest.LogCaptureFixture) -> None:
    assert sql_kinds("CALL secret()", "postgres") == ("other",)
    assert not caplog.records
