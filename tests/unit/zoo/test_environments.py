"""The environments of the zoo's entries: what their locks become."""

from hashlib import sha256
from pathlib import Path

import pytest

from tests.zoo import environments
from tests.zoo.environments import InstallationError, installed, jar_checksums, without_crate_sources

LOCK = '[[package]]\nname = "a"\nversion = "1.0.0"\nsource = "x"\nchecksum = "0"\n'


def test_a_lock_of_cargo_keeps_its_checksums_without_the_source_of_its_crates() -> None:
    assert without_crate_sources(LOCK) == '[[package]]\nname = "a"\nversion = "1.0.0"\nchecksum = "0"\n'


def test_a_library_that_is_not_the_pinned_one_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy(entry: Path, libraries: Path) -> None:
        libraries.mkdir()
        (libraries / "a-1.0.0.jar").write_bytes(b"another")

    monkeypatch.setattr(environments, "copy_jars", copy)
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "checksums.txt").write_text(f"{sha256(b'a').hexdigest()}  a-1.0.0.jar\n", encoding="utf-8")
    with pytest.raises(InstallationError, match=r"a-1\.0\.0\.jar"):
        installed(entry, tmp_path / "kept")


def test_checksums_of_libraries_are_written_as_sha256sum_writes_them(tmp_path: Path) -> None:
    (tmp_path / "b.jar").write_bytes(b"b")
    (tmp_path / "a.jar").write_bytes(b"a")
    assert jar_checksums(tmp_path) == [f"{sha256(one).hexdigest()}  {one.decode()}.jar" for one in (b"a", b"b")]
