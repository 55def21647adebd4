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


ENVELOPE = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"arguments":{"a":%s}}}'


@pytest.mark.parametrize(
    "heavy",
    [
        b"[" + b"[]," * 1_300_000 + b"[]]",
        b"[" + b'{"a":1},' * 100_000 + b"{}]",
        b"[" + b"1e5," * 1_000_000 + b"1]",
        b"{" + b",".join(b'"k%d":1' % number for number in range(100_000)) + b"}",
    ],
)
def test_a_body_that_would_be_dear_to_read_is_refused_before_it_is_parsed(
    heavy: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.protocol.strict.orjson", None)
    problem = parse(ENVELOPE % heavy)
    assert isinstance(problem, Malformed)
    assert problem.fault == "too_complex"
