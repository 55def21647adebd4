"""`make test` runs every test that there is, and every kind of test that there should be."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TESTS: Final = ROOT / "tests"
MAKEFILE: Final = (ROOT / "Makefile").read_text()
WANTED: Final = {"unit", "property", "contract", "integration", "conformance", "faults", "containers", "zoo"}


def suites() -> set[str]:
    named = re.search(r"^SUITES := (.*)$", MAKEFILE, re.MULTILINE)
    assert named
    return {name.removesuffix("-fast") for name in named[1].split()}


def directories_with_tests() -> set[str]:
    found = (path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
    return {path.parts[0] for path in found if "node_modules" not in path.parts}


def test_make_test_runs_every_kind_of_test() -> None:
    assert suites() == WANTED


def test_every_kind_has_tests_and_no_test_is_outside_of_them() -> None:
    assert directories_with_tests() == WANTED


def test_ci_runs_what_make_test_runs() -> None:
    assert "make --no-print-directory test" in (ROOT / ".ci" / "run").read_text()
    assert "run: .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
