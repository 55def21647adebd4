"""Messages of PROTOCOL.md section 7 that readers differ about, with the answers that are wanted.

Rule 1: each differs in one thing from a call that passes.
"""

import json
from typing import Any, Final

from tests.faults.wire import LEGACY, LEGACY_POST, MODERN, POST, Lines, call, modern, request

CALL: Final = modern("tools/call", "echo")
OLD: Final = LEGACY_POST
REQUEST: Final = -32600
PARSE: Final = -32700
HEADER: Final = -32020
BATCH: Final = 40001

OPEN: Final = '{"jsonrpc":"2.0","id":1,"method":"tools/call",'
NAMED: Final = '"params":{"name":"echo","arguments":{}}}'
WHOLE: Final = OPEN + NAMED

Case = tuple[bytes, Lines, int, int]
"""Body, headers, and the wanted status and JSON-RPC code."""


def echo(**arguments: Any) -> Case:
    """Return a modern call whose arguments are ambiguous."""
    return json.dumps(request("tools/call", {"name": "echo", "arguments": arguments})).encode(), CALL, 400, REQUEST


def old(body: str | bytes, code: int = REQUEST) -> Case:
    """Return a legacy message that is no JSON-RPC message for everybody."""
    return body.encode() if isinstance(body, str) else body, OLD, 400, code


def numbered(id: str) -> Case:  # noqa: A002 - JSON-RPC's word
    """Return a legacy call with an id that not all readers keep."""
    return old(WHOLE.replace('"id":1', f'"id":{id}'))


def valued(text: str, code: int) -> Case:
    """Return a legacy call with an argument written like this."""
    return old(OPEN + '"params":{"name":"echo","arguments":{"x":' + text + "}}}", code)


def headed(*headers: tuple[str, str], body: bytes = call(), status: int = 400, code: int = HEADER) -> Case:
    """Return a modern call under these headers."""
    return body, headers, status, code


VERSION: Final = ("MCP-Protocol-Version", MODERN)
FOLDED_META: Final = call().replace(
    b'"io.modelcontextprotocol/protocolVersion"', b'"io.modelcontextprotocol/ProtocolVersion"'
)

BODIES: Final[dict[str, Case]] = {
    "the name twice": old(OPEN + '"params":{"name":"echo","name":"delete","arguments":{}}}'),
    "the method twice": old('{"method":"ping",' + WHOLE[1:]),
    "params twice": old(OPEN + '"params":{"name":"delete"},' + NAMED),
    "an escaped key twice": old(OPEN + r'"params":{"name":"echo","n\u0061me":"delete"}}'),
    "an argument twice": old(OPEN + '"params":{"name":"echo","arguments":{"x":1,"x":2}}}'),
    "Method beside method": old('{"Method":"ping",' + WHOLE[1:]),
    "Method instead of method": old(WHOLE.replace("method", "Method")),
    "a long s in params": old(OPEN + '"param\u017f":{"name":"delete"},' + NAMED),
    "NAME beside name": old(OPEN + '"params":{"name":"echo","NAME":"delete"}}'),
    "Arguments beside arguments": old(OPEN + '"params":{"name":"echo","Arguments":{}}}'),
    "a folded _meta key": headed(*CALL, body=FOLDED_META, code=REQUEST),
    "an argument that folds onto the schema's": echo(TEXT="a"),
    "arguments that fold onto each other": echo(foo=1, FOO=2),
    "nested arguments that fold onto each other": echo(x={"k": 1, "\u212a": 2}),
    "UTF-16": old(WHOLE.encode("utf-16"), PARSE),
    "UTF-16 without a mark": old(WHOLE.encode("utf-16-le"), PARSE),
    "UTF-32": old(WHOLE.encode("utf-32"), PARSE),
    "a byte order mark": old(b"\xef\xbb\xbf" + WHOLE.encode(), PARSE),
    "invalid UTF-8": old(WHOLE.encode().replace(b"echo", b"ec\xffho"), PARSE),
    "overlong UTF-8": old(WHOLE.encode().replace(b"echo", b"ech\xc1\xaf"), PARSE),
    "NaN": valued("NaN", PARSE),
    "Infinity": valued("-Infinity", PARSE),
    "a lone surrogate": old(OPEN + r'"params":{"name":"ec\ud800ho"}}', PARSE),
    "a huge integer": valued("9" * 5000, PARSE),
    "an integer that doubles lose": valued("9007199254740993", REQUEST),
    "nesting beyond 64": valued("[" * 70 + "]" * 70, REQUEST),
    "nesting that ends readers": old(b"[" * 100_000),
    "an id of 2^70": numbered(str(2**70)),
    "an id of 2^53": numbered(str(2**53)),
    "an id of 1.0": numbered("1.0"),
    "an id of 1.5": numbered("1.5"),
    "an id of null": numbered("null"),
    "an id of true": numbered("true"),
    "an id that is a list": numbered("[1]"),
    "an id of 257 characters": numbered(f'"{"x" * 257}"'),
    "a request with a result": numbered('1,"result":{}'),
    "a request with an error": numbered('1,"error":{}'),
    "a batch": old(f"[{WHOLE}]", BATCH),
    "a batch of the revision that had them": headed(
        *POST, ("MCP-Protocol-Version", "2025-03-26"), body=f"[{WHOLE}]".encode(), code=BATCH
    ),
    "an empty batch": old("[]", BATCH),
    "a modern body without a header": headed(*POST),
    "a modern body under a legacy header": headed(*OLD),
    "another method in the header": headed(*modern("tools/list"), ("Mcp-Name", "echo")),
    "no method in the header": headed(*POST, VERSION, ("Mcp-Name", "echo")),
    "another name in the header": headed(*CALL, body=call("delete")),
    "no name in the header": headed(*modern("tools/call")),
    "a name in other case in the header": headed(*modern("tools/call", "Echo")),
    "a zipped body": headed(*CALL, ("Content-Encoding", "gzip"), status=415, code=REQUEST),
    "another media type": headed(("Content-Type", "text/plain"), *CALL[1:], status=415, code=REQUEST),
    "no media type": headed(*CALL[1:], status=415, code=REQUEST),
    "another charset": headed(
        ("Content-Type", "application/json; charset=utf-16"), *CALL[1:], status=415, code=REQUEST
    ),
}

INSIDE: Final = frozenset(
    {
        "the name twice",
        "an escaped key twice",
        "an argument twice",
        "NAME beside name",
        "Arguments beside arguments",
        "an argument that folds onto the schema's",
        "arguments that fold onto each other",
        "nested arguments that fold onto each other",
        "invalid UTF-8",
        "overlong UTF-8",
        "NaN",
        "Infinity",
        "a lone surrogate",
        "a huge integer",
        "an integer that doubles lose",
        "nesting beyond 64",
    }
)
"""Faults inside `params`: id and method are beyond doubt, so the refusal has the form of the method, with HTTP 200."""

NOT_AUTHENTICATED: Final = 40101
"""A credential that comes twice is a problem of the credential."""

TWICE: Final[dict[str, tuple[str, int]]] = {
    "MCP-Protocol-Version": (LEGACY, HEADER),
    "Mcp-Method": ("tools/list", HEADER),
    "Mcp-Name": ("delete", HEADER),
    "Mcp-Session-Id": ("a", HEADER),
    "Authorization": ("Bearer a", NOT_AUTHENTICATED),
    "Content-Type": ("text/plain", REQUEST),
    "Last-Event-ID": ("1", REQUEST),
}
"""Headers that decide something: a second value, and the wanted JSON-RPC code."""

CUT: Final = {
    "a chunk size that is no number": b"zz\r\n",
    "a chunk that does not end where it says": b"2\r\n{}{}\r\n0\r\n\r\n",
    "a negative chunk size": b"-1\r\n",
    "a closed connection": b"",
    "a closed connection within the last chunk": b"0\r\n",
    "a closed connection within a chunk": b"ff\r\n{}",
}
"""How a chunked body ends after what parses as JSON already."""

FRAMED: Final[dict[str, tuple[Lines, bytes]]] = {
    "both framings": ((("Content-Length", "4"), ("Transfer-Encoding", "chunked")), b"0\r\n\r\n"),
    "two lengths": ((("Content-Length", "2"), ("Content-Length", "3")), b"{}x"),
    "a signed length": ((("Content-Length", "+2"),), b"{}"),
    "an unknown coding": ((("Transfer-Encoding", "xchunked"),), b"0\r\n\r\n"),
    "chunked before another coding": ((("Transfer-Encoding", "chunked, identity"),), b"0\r\n\r\n"),
    "a line that goes on": ((("X-Folded", "a\r\n Mcp-Name: delete"), ("Content-Length", "2")), b"{}"),
    "a space before the colon": ((("Content-Length ", "2"),), b"{}"),
}
"""Framing that parsers of HTTP differ about, and a body to it."""
