"""Entries of the zoo: what is misspelled is an error, and every entry has its lock."""

import re
from pathlib import Path

import pytest

from tests.zoo.entry import HERE, ClientEntry, ServerEntry, clients, read, runs
from tests.zoo.results import version

ENTRY = """
title = "A server"
package = "x"
ecosystem = "python"
command = ["{python}"]
url = "http://127.0.0.1:{port}/mcp"
modes = ["auto", "legacy"]
[variants.stateless]
arguments = ["--stateless"]
[[differences]]
step = "restarted"
reason = "The server forgets."
modes = ["legacy"]
"""
LOCKS = {
    "requirements.txt": 'x==1.2.3 ; python_version < "4" \\\n    --hash=sha256:0\nxy==9',
    "package-lock.json": '{"packages": {"node_modules/x": {"version": "1.2.3"}}}',
    "go.mod": "module m\nrequire (\n\tx v1.2.3\n\ty v9.9.9 // indirect\n)",
    "Cargo.lock": '[[package]]\nname = "x"\nversion = "1.2.3"\n',
    "checksums.txt": "0  x-y-9.9.9.jar\n0  x-1.2.3.jar\n",
}


def _written(directory: Path, text: str = ENTRY) -> Path:
    path = directory / "a-server"
    path.mkdir()
    (path / "entry.toml").write_text(text, encoding="utf-8")
    return path


def test_each_variant_and_mode_of_an_entry_is_a_run(tmp_path: Path) -> None:
    _written(tmp_path)
    found = list(runs(tmp_path))
    assert [run.name for run in found] == [
        *("a-server-auto", "a-server-legacy", "a-server-stateless-auto", "a-server-stateless-legacy")
    ]
    assert [list(run.known) for run in found] == [[], ["restarted"], [], ["restarted"]]


@pytest.mark.parametrize("text", [ENTRY + "\n[steps]\nread = []", ENTRY.replace("title", "tilte"), "title = ["])
def test_an_entry_with_a_misspelled_key_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"a-server/entry\.toml"):
        read(_written(tmp_path, text), ServerEntry)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_version_of_the_package_is_read_from_each_kind_of_lock(tmp_path: Path, lock: str) -> None:
    directory = _written(tmp_path)
    (directory / lock).write_text(LOCKS[lock], encoding="utf-8")
    assert version(directory, read(directory, ServerEntry)) == "1.2.3"


def test_a_lock_without_the_package_is_an_error(tmp_path: Path) -> None:
    directory = _written(tmp_path)
    (directory / "requirements.txt").write_text("y==1", encoding="utf-8")
    with pytest.raises(ValueError, match="no lock has the package x"):
        version(directory, read(directory, ServerEntry))


def test_every_entry_here_can_be_read_and_its_lock_has_its_package() -> None:
    servers = {run.directory for run in runs()}
    for directory in servers:
        assert version(directory, read(directory, ServerEntry))
    for directory, entry in clients():
        assert version(directory, entry), ClientEntry
    present = {path for kind in ("servers", "clients") for path in (HERE / kind).glob("[a-z]*/")}
    assert present == servers | {directory for directory, _ in clients()}


def test_no_lock_here_has_an_address() -> None:
    names = ("requirements.txt", "package-lock.json", "go.sum", "Cargo.lock")
    locks = [path for name in names for path in HERE.glob(f"*/*/{name}")]
    assert locks
    addressed = re.compile(r"registry|resolved|index-url|://")
    assert [path for path in locks if addressed.search(path.read_text(encoding="utf-8"))] == []
