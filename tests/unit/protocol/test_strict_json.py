"""The second reader works independently: it refuses even a body that the first one would accept."""

import pytest

from gateway.protocol.malformed import Malformed
from gateway.protocol.second_parse import ParseDifference, reading
from gateway.protocol.stepwise import finish
from gateway.protocol.strict_json import DEFAULT, parse


def reread(body: bytes, written: bytes) -> ParseDifference | None:
    return finish(reading(body, written))


@pytest.mark.parametrize(
    ("body", "written", "fault"),
    [
        (b'{"a":1,"a":1}', b'{"a":1}', "duplicate_key"),
        (b"[9007199254740993]", b"[9007199254740992]", "number"),
        (b"[1e-999]", b"[0.0]", "number"),
        (b'{"a":1}', b'{"a":2}', "not_json"),
        (b"[1.50]", b"[1.6]", "not_json"),
        (b"[1]", b"[]", "not_json"),
        (b"[true]", b"[false]", "not_json"),
        (b'["\\u0061"]', b'["b"]', "not_json"),
        (b'["a","b"]', b'["a"]', "not_json"),
        (b'["\\ud800"]', b'["\\udc00"]', "not_json"),
    ],
)
def test_the_second_reader_refuses_what_the_first_one_read_otherwise(body: bytes, written: bytes, fault: str) -> None:
    difference = reread(body, written)
    assert difference is not None
    assert difference.fault == fault


@pytest.mark.parametrize(
    ("body", "written"),
    [
        (b'{ "a" : 1 }', b'{"a":1}'),
        (b"[1.50,1E5,-0,0e9]", b"[1.5,100000.0,0,0.0]"),
        (b'["\\u0061\\/\\"\\\\"]', b'["a/\\"\\\\"]'),
    ],
)
def test_two_readers_that_agree_accept(body: bytes, written: bytes) -> None:
    assert reread(body, written) is None


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
    monkeypatch.setattr("gateway.protocol.strict_json.orjson", None)
    problem = parse(ENVELOPE % heavy)
    assert isinstance(problem, Malformed)
    assert problem.fault == "too_complex"
