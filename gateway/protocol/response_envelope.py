"""The response around a result that is not parsed: a check that it is one plain answer to the request and nothing else.

Rule 1: in addition to its result a response has `jsonrpc` and the request's `id`, before or after it, written plainly.
Some readers take a response that also has `method` for a request, or use the last of two ids or results, so no other
member is allowed.
Rule 2: only the end of the result is searched: brackets count outside of strings, and quotes that are not escaped
separate strings from the rest. Invalid JSON may end elsewhere for this module, but no JSON reader accepts it.
Rule 3: nothing of the result is held, and at most `MOST` bytes after it.
"""

import re
from itertools import accumulate
from typing import Final

import orjson

MOST: Final = 4096
"""Bytes before the result, and after it."""
_SPACE: Final = b" \t\r\n"
_STRING: Final = rb'"(?:[^"\\]|\\.)*+"'
_ID: Final = re.compile(rb'"id"\s*:\s*(' + _STRING + rb"|-?[0-9]+)", re.DOTALL)
_MEMBER: Final = rb'(?:"jsonrpc"\s*:\s*"2\.0"|' + _ID.pattern + rb")"
_BEFORE: Final = re.compile(rb"\s*\{(?:\s*" + _MEMBER + rb'\s*,)*+\s*"result"\s*:\s*\{', re.DOTALL)
_AFTER: Final = re.compile(rb"(?:\s*,\s*" + _MEMBER + rb")*+\s*", re.DOTALL)
_TEXT: Final = re.compile(_STRING + b"?", re.DOTALL)
"""A string, or the beginning of the last one."""
_TOKEN: Final = re.compile(_TEXT.pattern + rb"|[{}\[\]]", re.DOTALL)
_STEPS: Final = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_UNMARKED: Final = bytes(byte for byte in range(256) if byte not in _STEPS and byte != ord('"'))
_INSIDE: Final = 2
"""Depth of the members of the result."""


class Envelope:
    """Checker of one response, piece by piece."""

    def __init__(self, request_id: str | int) -> None:
        """Store the id that the response must have."""
        self._request_id: Final = request_id
        self._depth = 0
        self._quoted = False
        self._escape = b""
        """A backslash whose second half has not arrived yet."""
        self._after: bytes | None = None
        self.closed = False
        """True if the response has ended."""

    @property
    def begun(self) -> bool:
        """True if its result has begun."""
        return self._depth > 0

    def fits(self, piece: bytes) -> bool:
        """Return whether the bytes so far can be the answer to the request; its result begins in the first piece."""
        if not self._depth:
            before = _BEFORE.match(piece[:MOST])
            if before is None or not self._own(before[0]):
                return False
            self._depth, piece = _INSIDE, piece[before.end() :]
        if self._after is None:
            self._after, piece = self._passed(piece), b""
        return self._after is None or self._ends(piece)

    def _passed(self, text: bytes) -> bytes | None:
        """Return the bytes after the result in a piece; null if the result continues."""
        text = self._escape + text
        self._escape = b"\\" if (len(text) - len(text.rstrip(b"\\"))) % 2 else b""
        text = text.removesuffix(self._escape)
        if self._quoted and b'"' not in text:
            return None
        marks = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _UNMARKED)
        parts = marks.replace(b'""', b"").split(b'"')  # quotes side by side change nothing for what follows them
        first, self._quoted = int(self._quoted), self._quoted != (len(parts) % 2 == 0)
        brackets = b"".join(parts[first::2]).replace(b"[]", b"").replace(b"{}", b"")
        depths = list(accumulate(map(_STEPS.__getitem__, brackets), initial=self._depth))
        if min(depths) >= _INSIDE:
            self._depth = depths[-1]
            return None
        return self._rest(b'"' + text if first else text)

    def _rest(self, text: bytes) -> bytes:
        """Return the bytes after the bracket that ends the result."""
        depth, end = self._depth, len(text)
        for found in _TOKEN.finditer(text):
            depth += _STEPS.get(found[0][0], 0)
            if depth < _INSIDE:
                end = found.end()
                break
        return text[end:] + self._escape

    def _ends(self, text: bytes) -> bool:
        """Return whether the bytes after the result can be the end of the response."""
        if self.closed:
            return not text.strip(_SPACE)
        self._after = after = (self._after or b"") + text
        members = _AFTER.match(after)
        left = after[members.end() :] if members else after
        self.closed = left.rstrip(_SPACE) == b"}" and self._own(after)
        return self.closed or (b"}" not in _TEXT.sub(b"", left) and len(after) <= MOST)

    def _own(self, members: bytes) -> bool:
        return all(_same(written, self._request_id) for written in _ID.findall(members))


def _same(written: bytes, request_id: str | int) -> bool:
    try:
        value: object = orjson.loads(written)
    except orjson.JSONDecodeError:
        return False
    return value == request_id and type(value) is type(request_id)
