import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.opa.runtime_dir import RuntimeDir, sweep
from tests.unit.opa.support import ROOT


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_a_lair_is_fresh_and_its_owners_alone() -> None:
    first, second = RuntimeDir(), RuntimeDir()
    assert first.path != second.path
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o700
    first.remove()
    second.remove()
    assert not first.path.exists()


def test_sweeping_leaves_the_living_alone() -> None:
    lair = RuntimeDir()
    sweep()
    assert lair.path.exists()
    lair.remove()


def test_sweeping_removes_the_directory_of_a_killed_process(temporary: Path) -> None:
    program = (
        f"import os, signal, sys; sys.path.insert(0, {str(ROOT)!r}); import tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from gateway.opa.runtime_dir import RuntimeDir; lair = RuntimeDir(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, temporary], check=False)
    assert len(list(temporary.iterdir())) == 1
    sweep()
    assert list(temporary.iterdir()) == []


def test_sweeping_touches_nothing_that_is_not_a_lair(temporary: Path) -> None:
    (temporary / "mcp-admission-opa-file").write_text("a file")
    (temporary / "mcp-admission-opa-empty").mkdir()
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / "lock").write_text("")
    (temporary / "mcp-admission-opa-link").symlink_to(temporary / "elsewhere")
    sweep()
    assert len(list(temporary.iterdir())) == 4
    assert (temporary / "elsewhere" / "lock").exists()
