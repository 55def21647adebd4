"""Bodies that are no MCP message: a corpus of our own, as byte strings by what is wrong with them.

Rule 1: none of them may be forwarded, whatever a lenient reader would make of it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

PING: Final = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
CALL: Final = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}'

_JSON: Final = (
    # nothing, or nothing but space
    b"", b" ", b"\n", b"\t\t", b"\0", b"\x1a", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf",
    # fragments
    b"{", b"}", b"[", b"]", b"[[", b"{}}", b"[]]", b'"', b'"a', b"'", b",", b":", b"{,}", b"[,]", b'{"a"}', b'{"a":}',
    b'{"a":1,}', b"[1,]", b"{:1}", b"{1:1}", b"{a:1}", b"{'a':1}", b'{"a" 1}', b'{"a":1 "b":2}', b'{"a":1;"b":2}',
    b'{"a"=1}', b"{}{}", b"{} {}", b"{}\n{}", b"[]{}", b"{}x", b"x{}",
    # words
    b"tru", b"nul", b"True", b"None", b"undefined", b"NaN", b"-Infinity", b"Infinity", b"nan", b"inf",
    # numbers
    b"01", b"-", b"+1", b"1.", b".1", b"1e", b"1e+", b"0x1", b"1_000", b"--1", b"1e999", b"-01", b"1.e1", b"\xd9\xa1",
    # strings
    b'"\x00"', b'"\n"', b'"\t"', b'"\\', b'"\\x41"', b'"\\u12"', b'"\\uD800"', b'"\\uDC00\\uD800"', b'"\\ud800\\u0041"',
    b'"\\U0041"', b"`a`", b'"\x1f"', b'"\\0"', b'"\\v"',
    # bytes that are no UTF-8
    b'"\x80"', b'"\xc0\x80"', b'"\xc3"', b'"\xe0\x80\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"',
    b'"\xf8\x88\x80\x80\x80"',
    # comments, and what other formats are
    b"// a\n{}", b"/* a */{}", b"# a\n{}", b"<!-- -->", b"<a/>", b"a=1", b"a: 1", b"---\na: 1", b"%7B%7D",
    b"jsonrpc=2.0",
    b"data: {}\n\n", b"Content-Length: 2\r\n\r\n{}", b"\x80\x04}", b"\x81\xa1a\x01", b"\x1f\x8b\x08\x00", b")]}',\n{}",
    b"\x00\x00\x00\x02{}", b"2\n{}", b"\x1e{}\n", b"GET / HTTP/1.1\r\n\r\n",
    # JSON, but no object
    b"null", b"true", b"false", b"0", b"-0", b"1.5", b'""', b'"ping"', b"[]", b"[{}]", b"[null]", b'["ping"]',
    b"[" + PING + b"]", b"[" + CALL + b"," + CALL + b"]",
    # objects within objects, and after each other
    b'{"":' + CALL + b"}", b'{"message":' + CALL + b"}", CALL + CALL, CALL + b"\n" + CALL, CALL[:-1], CALL[1:],
    CALL + b"\0",
    b"[" * 1000, b'{"a":' * 1000, b"[" * 1000 + b"]" * 1000, b'{"a":' * 100 + b"1" + b"}" * 100,
)  # fmt: skip

_ODD: Final[tuple[Any, ...]] = ({}, [], None, True, 1, 1.5, "", "x")


def _changed(**fields: Any) -> bytes:
    """Return a call with other fields; an Ellipsis takes a field away."""
    message = {**json.loads(CALL), **fields}
    return json.dumps({name: value for name, value in message.items() if value is not ...}).encode()


def _envelopes() -> Iterator[bytes]:
    yield from (_changed(jsonrpc=value) for value in (*_ODD, ..., "1.0", "2", "2.0 ", 2.0))
    yield from (_changed(method=value) for value in (*_ODD[:-1], ..., "x" * 257))
    yield from (_changed(params=value) for value in _ODD[1:])
    ids: tuple[Any, ...] = ({}, [], None, True, 1.5, 2**60, -(2**60), "x" * 300)
    yield from (_changed(id=value) for value in ids)
    yield from (
        _changed(**{name: 1}) for name in ("extra", "Id", "METHOD", "Params", "JSONRPC", "\u0131d", "result", "error")
    )
    yield from (_changed(method=..., params=..., **odd) for odd in _ANSWERS)


_ANSWERS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"result": None},
    {"result": 1},
    {"result": []},
    {"error": None},
    {"error": {}},
    {"error": {"code": "1", "message": "a"}},
    {"error": {"code": 1}},
    {"error": {"code": 1.5, "message": "a"}},
    {"error": {"code": 1, "message": 2}},
    {"result": {}, "error": {"code": 1, "message": "a"}},
    {"result": {}, "id": None},
    {"result": {}, "id": []},
    {"result": {}, "Result": {}},
)


def _params() -> Iterator[bytes]:
    """Return calls whose params are not those of a call."""
    nothing: list[Any] = []
    names: tuple[Any, ...] = ({}, [], None, True, 1, 1.5)
    for value in names:
        yield _changed(params={"name": value, "arguments": {}})
    for value in (nothing, True, 1, 1.5, "x"):
        yield _changed(params={"name": "echo", "arguments": value})
    for value in (nothing, None, True, 1, "x"):
        yield _changed(params={"name": "echo", "_meta": value})
    yield _changed(params={})
    yield _changed(params={"name": "", "arguments": {}})
    yield _changed(params={"name": "x" * 10_000, "arguments": {}})
    yield _changed(params={"Name": "echo", "name": "echo"})
    yield _changed(params={"name": "echo", "_META": {}})


CORPUS: Final[tuple[bytes, ...]] = (*_JSON, *_envelopes(), *_params())
"""Every body once."""
