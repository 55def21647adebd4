"""The report of `make zoo-latest`: which versions changed, and what failed with them."""

from pathlib import Path

import pytest

from tests.zoo.latest import compatible, renewed, report
from tests.zoo.results import Result


def _result(name: str, problem: str = "") -> Result:
    return Result(kind="server", name=name, title=name, package="p", version="2", done=1, equal=1, problem=problem)


def test_the_report_names_new_versions_and_failures_only() -> None:
    text = report(
        {"a": "1", "b": "1"}, {"a": "2", "b": "1"}, [_result("a", "tools differ"), _result("b")], {"c": "lost"}
    )
    assert "| a | 1 | 2 |" in text
    assert "| b |" not in text
    assert "1 of 2 entries" in text
    assert "2 failures" in text
    assert "tools differ" in text
    assert "lost" in text


@pytest.mark.parametrize(("pinned", "wanted"), [("1.2.3", "^1.2.3"), ("0.2.0-alpha.12", "0.2.0-alpha.12")])
def test_a_pinned_npm_version_gives_way_to_a_compatible_one(pinned: str, wanted: str) -> None:
    assert compatible(pinned) == wanted


def test_a_lock_that_cannot_be_renewed_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "requirements.in").write_text("not a requirement ===", encoding="utf-8")
    assert renewed(tmp_path).startswith("the lock could not be renewed")
