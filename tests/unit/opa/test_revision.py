from hypothesis import given
from hypothesis import strategies as st

from gateway.opa.revision import Ratchet, Revision, read_revision
from tests.unit.opa.support import MemoryHighwater


def turn(ratchet: Ratchet, text: str) -> bool:
    revision = read_revision(text)
    assert revision is not None
    return ratchet.turn(text, revision)


def test_a_revision_has_an_environment_a_content_id_and_a_sequence_number() -> None:
    assert read_revision("production@0a1b2c3d4e5f.42") == Revision("production", "0a1b2c3d4e5f", 42)


@given(st.one_of(st.text(), st.from_regex(r"[a-z]{0,3}@?[0-9a-g]{0,13}\.?-?[0-9]{0,3}\n?", fullmatch=True)))
def test_whatever_reads_as_a_revision_is_written_the_same_way(text: str) -> None:
    revision = read_revision(text)
    assert revision is None or f"{revision.environment}@{revision.content}.{revision.seq}" == text


def test_a_lower_sequence_number_is_refused_and_the_revision_in_force_stays() -> None:
    ratchet = Ratchet(MemoryHighwater())
    assert turn(ratchet, "dev@aaaaaaaaaaaa.2")
    assert not turn(ratchet, "dev@bbbbbbbbbbbb.1")
    assert ratchet.current == "dev@aaaaaaaaaaaa.2"


def test_a_revision_enforced_by_an_earlier_process_still_counts() -> None:
    assert not turn(Ratchet(MemoryHighwater(seq=7)), "dev@aaaaaaaaaaaa.6")
    assert turn(Ratchet(MemoryHighwater(seq=7)), "dev@aaaaaaaaaaaa.7")


def test_a_higher_sequence_number_is_durable_before_it_counts() -> None:
    highwater = MemoryHighwater()
    ratchet = Ratchet(highwater)
    assert turn(ratchet, "dev@aaaaaaaaaaaa.3")
    assert highwater.seqs == {"dev": 3}


def test_environments_do_not_hold_each_other_back() -> None:
    ratchet = Ratchet(MemoryHighwater())
    assert turn(ratchet, "dev@aaaaaaaaaaaa.9")
    assert turn(ratchet, "production@bbbbbbbbbbbb.1")
    assert not turn(ratchet, "dev@aaaaaaaaaaaa.8")
