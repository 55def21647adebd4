"""Every revision belongs to one era."""

import pytest

from gateway.protocol.revisions import LEGACY, MODERN, SUPPORTED, era_of, offered, supported


def test_every_revision_has_one_era() -> None:
    assert {era_of(revision) for revision in LEGACY} == {"legacy"}
    assert {era_of(revision) for revision in MODERN} == {"modern"}
    assert all(map(supported, SUPPORTED))


@pytest.mark.parametrize("revision", ["", "2025-06-19", "2026-07-28 ", "zzz", "DRAFT"])
def test_an_unknown_revision_has_no_era(revision: str) -> None:
    assert era_of(revision) is None
    assert not supported(revision)


@pytest.mark.parametrize(
    ("asked", "judged"), [("2025-03-26", "2025-03-26"), ("x", "2025-11-25"), ("2026-07-28", "2025-11-25")]
)
def test_initialize_is_judged_as_a_legacy_revision(asked: str, judged: str) -> None:
    assert offered(asked) == judged
