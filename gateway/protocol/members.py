"""The members of the outermost object of a JSON text, each value as its original bytes.

Rule 1: the caller has parsed the text; nothing here judges values.
Rule 2: a rewritten object keeps the bytes of every value except the replaced one.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import orjson
from msgspec import UNSET, UnsetType

_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def members_of(body: bytes) -> dict[str, msgspec.Raw]:
    """Return the values by their keys; of equal keys the last one."""
    return _MEMBERS.decode(body)


def distinct(body: bytes) -> bool:
    r"""Return whether no key of the outermost object is repeated: no quote outside the values is left over.

    A key with a quote counts as repeated: `\u0022` has no quote in the text, and could compensate for the quotes of
    another key.
    """
    members = _MEMBERS.decode(body)
    if any('"' in key for key in members):
        return False
    inside = sum(bytes(value).count(b'"') for value in members.values())
    return body.count(b'"') - inside == 2 * len(members)


def rewritten(body: bytes, keys: Iterable[str], id: str | int | UnsetType | None = UNSET) -> bytes:  # noqa: A002 - JSON-RPC's word
    """Return the object with these of its members; an `id` replaces the member of that name."""
    copied = _MEMBERS.decode(body)
    if id is not UNSET:
        copied["id"] = msgspec.Raw(orjson.dumps(id))
    return b"{" + b",".join(orjson.dumps(key) + b":" + bytes(copied[key]) for key in keys) + b"}"
