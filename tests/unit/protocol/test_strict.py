"""The second reader stands on its own: it would refuse even what the first one let through."""

import pytest

from gateway.protocol.malformed import Malformed
from gateway.protocol.strict import DEFAULT, _reread, parse


@pytest.mark.parametrize(
    "body", [b"NaN", b"[Infinity]", b'{"a":1,"a":1}', b"9007199254740992", b"{", b"\xff", b"1" * 5000]
)
def test_the_second_reader_refuses_alone(body: bytes) -> None:
    assert isinstance(_reread(body, None), Malformed)


def test_two_readers_that_disagree_refuse() -> None:
    assert isinstance(_reread(b'{"a":1}', {"a": 2}), Malformed)
    assert _reread(b'{"a":1}', {"a": 1}) == {"a": 1}


def test_nesting_beyond_what_a_reader_can_follow_is_refused() -> None:
    assert isinstance(_reread(b"[" * 100_000 + b"]" * 100_000, []), Malformed)


def test_the_limits_are_what_the_official_servers_take() -> None:
    assert (DEFAULT.size, DEFAULT.depth) == (4 * 1024 * 1024, 64)
    longest = b'"' + b"x" * (DEFAULT.size - 2) + b'"'
    assert parse(longest) == "x" * (DEFAULT.size - 2)
    assert isinstance(parse(longest + b" "), Malformed)
