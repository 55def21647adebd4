"""The table of conditions in bundles/README.md is what the policy library says."""

from pathlib import Path

from tests.condition_table import README, lacking, table, written


def test_the_documented_table_is_that_of_the_rego(opa: Path) -> None:
    assert written(README.read_text()) == table(opa), "run `make conditions`"


def test_the_table_has_every_word_of_the_language() -> None:
    assert lacking() == set()
