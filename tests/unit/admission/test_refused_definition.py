"""The text of a refused definition is bounded for any server, and can be read back unchanged."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.digests import define, grouped
from gateway.admission.policy_input import Target
from gateway.admission.refused_definition import MOST_CHARACTERS, PresentedWords, packed, refused_target, unpacked

TEXTS = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def text_of(item: dict[str, Any]) -> str:
    target = Target(type="tool", name="search")
    return packed(refused_target("notes", target, define(item), revision="dev@1.1", words=grouped(item)))


def words_in(item: dict[str, Any]) -> dict[str, Any]:
    told = unpacked(text_of(item))
    assert told is not None
    assert (told.target, told.digests) == ("search", define(item).parts)
    return told.words


def deep(levels: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(levels):
        made = [made]
    return made


@given(TEXTS, VALUES, VALUES)
def test_short_words_arrive_unchanged(description: str, schema: Any, more: Any) -> None:
    item = {"name": "search", "description": description, "inputSchema": schema, "unknown": more}
    assert words_in(item) == grouped(item)


def test_lone_surrogates_arrive_and_the_text_is_ascii() -> None:
    item = {"name": "search", "description": "\ud800 \u202e \x1b"}
    assert text_of(item).isascii()
    assert words_in(item)["description"] == "\ud800 \u202e \x1b"


TOO_MUCH: Final[dict[str, Any]] = {
    "text": "x" * (MOST_CHARACTERS + 1),
    "long text": "x" * 8_000_000,
    "empty lists": [[]] * 20_000,
    "members": {str(number): 1 for number in range(20_000)},
    "key": {"x" * MOST_CHARACTERS: 1},
    "numbers": [1] * 200_000,
    "long number": 10 ** (4 * MOST_CHARACTERS),
    "number that Python does not write": 10**5_000,
    "nested": deep(200),
    "deeply nested": deep(20_000),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_part_that_is_too_long_or_too_deep_is_left_out_and_the_others_are_not(name: str) -> None:
    item = {"name": "search", "description": "Search."}
    words = grouped(item | {"_meta": TOO_MUCH[name]})
    text = packed(refused_target("s", Target(), define(item), revision="", words=words))
    told = unpacked(text)
    assert told is not None
    assert told.words == item
    assert len(text) < 2_000


def test_all_parts_together_are_bounded_and_the_description_goes_before_the_rest() -> None:
    item = {"_meta": "m" * 90_000, "name": "search", "inputSchema": "i" * 90_000, "description": "d" * 90_000}
    assert words_in(item).keys() == {"description", "inputSchema", "name"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "[" * 100_000, '{"target": "t", "digests": {}}'),
        *('{"target": "t", "digests": 1, "words": {}}', '{"target": 1, "digests": {}, "words": {}}'),
    ],
)
def test_a_text_in_another_form_is_not_read(text: str) -> None:
    assert unpacked(text) is None


def test_an_empty_text_is_read() -> None:
    told = unpacked(json.dumps({"target": "", "digests": {}, "words": {}}))
    assert told == PresentedWords(target="", digests={}, words={})
