"""Ids and progress tokens that a server echoes in another form: `"1"` or `1.0` for `1`, `1` for `"1"`.

Rule 1: two forms are alike only if one of them is the plain decimal text of the other; nothing is trimmed or guessed.
Rule 2: the caller decides whether another form may count: only if one request is open on the channel.
"""

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.protocol.malformed import Malformed
from gateway.protocol.members import members_of, rewritten
from gateway.protocol.message import Message, Response, read_reply

_SPACE: Final = b"\xef\xbb\xbf \t\r\n"
"""Bytes that may precede a body, including those of a byte order mark."""
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def same(given: Any, own: str | int) -> bool:
    """Return whether an id is the client's own, in its own type."""
    return type(given) is type(own) and given == own


def alike(given: Any, own: str | int) -> bool:
    """Return whether an id is the client's own, in any type."""
    if same(given, own):
        return True
    if type(own) is str:
        return own in _texts(given)
    return (type(given) is str and given in _texts(own)) or (type(given) is float and given == own)


def _texts(number: Any) -> tuple[str, ...]:
    """Return the texts by which a number is written in decimal; none for a value that is not a whole number."""
    if type(number) is int:
        return (str(number), f"{number}.0")
    if type(number) is float and number.is_integer():
        return (str(int(number)), f"{int(number)}.0")
    return ()


def addressed(response: Response, id: str | int | None) -> Response:  # noqa: A002 - JSON-RPC's word
    """Return a server's response with another id; everything else in it keeps its bytes."""
    keys = {**dict.fromkeys(members_of(response.raw)), "id": None}
    return replace(response, id=id, raw=rewritten(response.raw, keys, id))


def read_body(body: bytes) -> Message | Malformed:
    """Return the message of a whole body; an array of one message counts as the message."""
    if not body[:64].lstrip(_SPACE).startswith(b"["):
        return read_reply(body)
    try:
        elements = _ELEMENTS.decode(body.lstrip(_SPACE))
    except msgspec.DecodeError:
        elements = []
    return read_reply(bytes(elements[0]) if len(elements) == 1 else body)
