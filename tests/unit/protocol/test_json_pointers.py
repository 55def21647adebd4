"""JSON pointers are read and written as RFC 6901 defines them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.json_pointers import keys_of, pointer_to


@pytest.mark.parametrize(
    ("pointer", "keys"),
    [
        ("", ()),
        ("/", ("",)),
        ("/foo/0", ("foo", "0")),
        ("/a~1b", ("a/b",)),
        ("/m~0n", ("m~n",)),
        ("/~01", ("~1",)),
    ],
)
def test_a_pointer_of_the_standard_is_read(pointer: str, keys: tuple[str, ...]) -> None:
    assert keys_of(pointer) == keys
    assert pointer_to(keys) == pointer


@given(st.lists(st.text()))
def test_a_written_pointer_is_read_back(keys: list[str]) -> None:
    assert keys_of(pointer_to(keys)) == tuple(keys)


def test_an_index_is_written_as_a_number() -> None:
    assert pointer_to(["to", 0]) == "/to/0"
