import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import environment

PROBE = """
import pytest

@pytest.mark.environment("go")
def test_that_needs_go(): ...

def test_that_hides(): {}
"""


def run(directory: Path, checkout: Path, text: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    probe = directory / "test_probe.py"
    probe.write_text(text)
    options = ["-c", os.devnull, "--rootdir", str(directory), "-p", "tests.conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(probe)],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_machine_lacks_is_left_out_and_written_down(tmp_path: Path, checkout: Path) -> None:
    gaps = tmp_path / "gaps"
    ended = run(tmp_path, checkout, PROBE.format("pass"), PATH=str(tmp_path), TEST_GAPS=str(gaps))
    assert "1 passed, 1 skipped" in ended.stdout
    assert environment.summary(gaps.read_text()) == "Not run on this machine: test: Go is not installed."


@pytest.mark.parametrize(
    "text", [PROBE.format("pytest.skip('later')"), "import pytest\npytest.importorskip('no_such')"]
)
def test_any_other_skip_is_a_failure(tmp_path: Path, checkout: Path, text: str) -> None:
    ended = run(tmp_path, checkout, text, PATH=str(tmp_path))
    assert ended.returncode != 0
    assert "a skip that hides a gap" in ended.stdout


def test_an_unknown_need_is_an_error(tmp_path: Path, checkout: Path) -> None:
    ended = run(tmp_path, checkout, PROBE.format("pass").replace('"go"', '"luck"'), PATH=str(tmp_path))
    assert "KeyError: 'luck'" in ended.stdout


def test_the_closing_line_counts_and_gives_reasons() -> None:
    assert environment.summary("") == "Everything was run on this machine."
    lines = "test\tno engine\ntest\tno engine\nRegal\tit is not on PATH\n"
    assert environment.summary(lines) == ("Not run on this machine: 2 x test: no engine; Regal: it is not on PATH.")


def test_a_gap_is_written_down_also_where_nothing_was_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaps = tmp_path / ".state" / "gaps"
    monkeypatch.setenv(environment.GAPS, str(gaps))
    environment.note("Regal", "it is not here")
    assert gaps.read_text(encoding="utf-8") == "Regal\tit is not here\n"


def test_without_a_place_for_gaps_none_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(environment.GAPS, raising=False)
    monkeypatch.chdir(tmp_path)
    environment.note("Regal", "it is not here")
    assert list(tmp_path.iterdir()) == []
