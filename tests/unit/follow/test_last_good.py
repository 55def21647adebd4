"""The store of the last good bundle."""

from pathlib import Path

import pytest

from gateway.follow.last_good import LastGoodStore


@pytest.fixture
def shelf(tmp_path: Path) -> LastGoodStore:
    return LastGoodStore(tmp_path / "bundles", "policy")


def test_an_empty_store_has_no_bundle(shelf: LastGoodStore) -> None:
    assert shelf.kept() is None


def test_a_stored_bundle_has_the_time_of_its_last_confirmation(shelf: LastGoodStore, tmp_path: Path) -> None:
    shelf.keep(b"one", 1)
    shelf.keep(b"two", 2)
    kept = shelf.kept()
    assert kept is not None
    assert (kept.content, kept.confirmed_ns) == (b"two", 2)
    assert {path.name for path in (tmp_path / "bundles").iterdir()} == {"policy.tar.gz", "policy.json"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "bundles").iterdir())


@pytest.mark.parametrize("note", ["", "{", '{"digest":"x","confirmed_ns":9}', "[]"])
def test_a_confirmation_of_another_bundle_is_ignored(shelf: LastGoodStore, tmp_path: Path, note: str) -> None:
    shelf.keep(b"one", 1)
    (tmp_path / "bundles" / "policy.json").write_text(note)
    kept = shelf.kept()
    assert kept is not None
    assert kept.confirmed_ns == 0
