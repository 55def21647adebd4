"""The quick checks find no secret only in values in which the full search finds none."""

from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.admission.redaction import DEPTH, _is_secret, _judged, _names_a_secret, _walk, suspicious
from gateway.admission.secret_texts import _assigned, _resembling, hinted
from gateway.protocol.json_values import as_list, as_object

TEXTS: Final = st.text(max_size=4) | st.sampled_from(
    [
        "token",
        "value",
        "name",
        "Authorization",
        "max_tokens",
        "path",
        "a=b",
        "password=hunter2",
        "Bearer abcdefgh",
        "sk-live-abcdefghijklmnopqrst",
        "https://user:pass@host",
        "eyJhbGciOi.eyJzdWIi.sig",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "AKIAABCDEFGHIJKLMNOP",
        "glpat-abcdefghijklmnopqrst",
        "xoxb-123456789012-abcdefghijkl",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
    ]
)
VALUES: Final[st.SearchStrategy[Any]] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def _tells(value: Any, texts: list[str], room: int) -> bool:
    """Return whether a key in a value names a secret, or it nests too deep; `texts` gains every text in it."""
    node, elements = as_object(value), as_list(value)
    if (node is not None or elements is not None) and not room:
        return True
    if node is not None:
        texts += node
        if _names_a_secret(node) or any(_is_secret(key, inner) for key, inner in node.items()):
            return True
    if type(value) is str:
        texts.append(value)
    inner = node.values() if node is not None else elements or ()
    return any(_tells(item, texts, room - 1) for item in inner)


@given(VALUES)
@example({"name": "Authorization", "value": "x"})
@example([[{"name": "path", "value": ["Bearer abcdefgh"]}]])
def test_a_value_is_suspicious_if_a_key_or_a_text_in_it_is(value: Any) -> None:
    texts: list[str] = []
    assert suspicious(value) == (_tells(value, texts, DEPTH) or hinted("\n".join(texts)))


@given(VALUES)
def test_what_is_not_suspicious_has_nothing_to_mask(value: Any) -> None:
    found: list[str] = []
    assert suspicious(value) or (_walk(value, found, DEPTH) == value and not found)


@given(st.lists(TEXTS, max_size=4).map(" ".join))
def test_every_text_that_a_pattern_matches_has_a_hint(text: str) -> None:
    assert hinted(text) or not [*_resembling(text), *_assigned(text)]


def test_a_long_key_names_a_secret_and_is_not_remembered() -> None:
    key = "a" * 100_000 + "_pass"
    known = _judged.cache_info().currsize
    assert suspicious({key: "x"})
    assert not suspicious({key + "x": "x"})
    assert _judged.cache_info().currsize == known


def test_what_nests_deeper_than_is_searched_is_suspicious() -> None:
    deep: list[Any] = []
    for _ in range(DEPTH - 1):
        deep = [deep]
    assert not suspicious(deep)
    assert suspicious([deep])
    assert suspicious({"a": deep})
