"""The environments of the zoo's entries: what their locks become."""

from tests.zoo.environments import without_crate_sources

LOCK = '[[package]]\nname = "a"\nversion = "1.0.0"\nsource = "x"\nchecksum = "0"\n'


def test_a_lock_of_cargo_keeps_its_checksums_without_the_source_of_its_crates() -> None:
    assert without_crate_sources(LOCK) == '[[package]]\nname = "a"\nversion = "1.0.0"\nchecksum = "0"\n'
