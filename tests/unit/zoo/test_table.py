"""The table of the zoo's results: no entry is missing from it, and a failure shows."""

from tests.zoo.results import Result
from tests.zoo.table import BEGIN, END, table, written


def _result(name: str, **more: object) -> Result:
    fields = {
        "kind": "server",
        "name": name,
        "title": name.upper(),
        "package": "p",
        "version": "2",
        "done": 9,
        "equal": 8,
    }
    return Result(**{**fields, **more})  # pyright: ignore[reportArgumentType]


def test_every_entry_has_a_row_also_without_a_result() -> None:
    found = [_result("a", differences={"restarted": "It forgets."}), _result("b", problem="tools differ")]
    made = table(found, {"server": ["a", "b", "c"], "client": ["d"]}, "2026-11-30")
    assert "| A | p | 2 | 8 of 9 | restarted: It forgets. |" in made
    assert "| B | p | 2 | failed |  |" in made
    assert "| c | | | not run | |" in made
    assert "| d | | | not run | |" in made
    assert "2026-11-30" in made


def test_the_table_replaces_the_earlier_one_and_nothing_else() -> None:
    assert written(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"
