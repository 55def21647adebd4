"""The envelope of a request is read even if its params cannot be read."""

import json

import pytest

from gateway.protocol.malformed import Malformed
from gateway.protocol.message import read
from gateway.protocol.request_envelope import SLOW_BYTES, RequestEnvelope, request_envelope

HEAD = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":'


def call_with(arguments: bytes) -> bytes:
    return HEAD + b'{"name":"t","arguments":' + arguments + b"}}"


UNREADABLE = {
    "a key twice": b'{"a":1,"a":2}',
    "a folded key": b'{"vars":{"n":1,"N":2}}',
    "a large integer": b'{"n":9007199254740993}',
    "a huge integer": b'{"n":' + b"9" * 5000 + b"}",
    "a precise number": b'{"n":0.12345678901234567890123}',
    "an infinite number": b'{"n":1e999}',
    "NaN": b'{"n":NaN}',
    "Infinity": b'{"n":-Infinity}',
    "a lone surrogate": b'{"n":"\\ud800"}',
    "a stray byte": b'{"n":"\xff"}',
    "depth": b'{"n":' + b"[" * 70 + b"]" * 70 + b"}",
    "many keys": json.dumps({f"k{number}": 0 for number in range(30_000)}).encode(),
    "many values": b'{"n":[' + b"1," * 300_000 + b"1]}",
}


@pytest.mark.parametrize("arguments", UNREADABLE.values(), ids=UNREADABLE)
def test_a_fault_inside_params_leaves_id_and_method_readable(arguments: bytes) -> None:
    for body in (call_with(arguments), call_with(arguments).replace(b",", b" , ")):
        problem = read(body)
        assert isinstance(problem, Malformed)
        assert (problem.id, problem.method) == (7, "tools/call")


@pytest.mark.parametrize("params", [b"[1]", b'"x"', b"7", b"true"])
def test_params_of_another_type_are_a_fault_of_params(params: bytes) -> None:
    problem = read(HEAD + params + b"}")
    assert isinstance(problem, Malformed)
    assert (problem.id, problem.method) == (7, "tools/call")


BAD = b'{"a":1,"a":2}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"\\u0069d":2,"method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"m","method":"n","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"m","Method":"n","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":{},"params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"m","result":{},"params":' + BAD + b"}",
        b'{"jsonrpc":"1.0","id":1,"method":"m","params":' + BAD + b"}",
        b'{"id":1,"method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1.0,"method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":null,"method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":true,"method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":9007199254740993,"method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":"\\ud800","method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":"\xff","method":"m","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"","params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":["m"],"params":' + BAD + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":' + BAD + b"} x",
        b'{"jsonrpc":"2.0","id":1,"method":"m","params":' + BAD,
        b'[{"jsonrpc":"2.0","id":1,"method":"m","params":' + BAD + b"}]",
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"m","params":' + BAD + b"}",
        (HEAD + BAD + b"}").decode().encode("utf-16"),
        b"",
        b"NaN",
    ],
)
def test_a_doubtful_envelope_is_none(body: bytes) -> None:
    assert request_envelope(body) is None
    problem = read(body)
    assert isinstance(problem, Malformed)
    assert problem.method == ""


def test_a_notification_has_an_envelope_without_an_id() -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/progress","params":' + BAD + b"}"
    assert request_envelope(body) == RequestEnvelope("notifications/progress", None)


def test_nesting_without_end_costs_no_recursion() -> None:
    for depth in (2_000, 200_000):
        request_envelope(call_with(b"[" * depth + b"]" * depth))
        request_envelope(call_with(b'{"a":' * depth))


def test_only_a_short_body_is_read_by_the_slow_reader() -> None:
    assert request_envelope(call_with(b'{"n":NaN,"s":"' + b"x" * SLOW_BYTES + b'"}')) is None
