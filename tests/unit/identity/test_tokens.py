"""The form of service tokens."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.tokens import digest, token, well_formed

RANDOM = st.binary(min_size=32, max_size=32)


@given(RANDOM)
def test_a_token_is_well_formed(random: bytes) -> None:
    text = token(random)
    assert text.startswith("mcpa_")
    assert len(text) == 53
    assert well_formed(text)


@given(RANDOM, st.integers(5, 52), st.sampled_from("ABCabc019-_"))
def test_one_wrong_character_is_noticed(random: bytes, place: int, char: str) -> None:
    text = token(random)
    wrong = text[:place] + char + text[place + 1 :]
    assert well_formed(wrong) == (wrong == text)


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    assert not well_formed(text)


@pytest.mark.parametrize("ending", ["\n", "=", "A", ""])
def test_a_longer_or_shorter_text_is_not_a_token(ending: str) -> None:
    text = token(bytes(32))
    assert not well_formed(text + ending if ending else text[:-1])


def test_the_checksum_is_crc_32_over_the_random_bytes() -> None:
    content = base64.urlsafe_b64decode(token(bytes(range(32)))[5:])
    assert content[:32] == bytes(range(32))
    assert content[32:].hex() == "91267e8a"


def test_the_digest_is_over_the_text() -> None:
    text = token(bytes(32))
    assert digest(text) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_token_is_made_from_32_bytes_only(size: int) -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        token(bytes(size))
