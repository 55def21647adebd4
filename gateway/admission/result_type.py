"""The type of a result for its record: one of a closed set, and the number of its items.

Rule 1: no text of the server becomes a type: a content block of an unknown type is `other`.
Rule 2: if there are very many blocks, the first ones represent all, because the server chooses their number.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from gateway.protocol.json_values import as_list, as_object

_BLOCKS: Final = frozenset({"text", "image", "audio", "resource", "resource_link"})
_MEMBERS: Final = ("content", "messages")
_LOOKED_AT: Final = 1000


class ResultType(NamedTuple):
    """`error`, `list`, `resource`, a type of content blocks, `mixed`, `other`, or `object`; and the number of items."""

    type: str
    items: int = 0


ERROR: Final = ResultType("error")
UNREAD: Final = ResultType("unread")


def result_type(result: Mapping[str, Any]) -> ResultType:
    """Return the type of a result of a method that lists nothing."""
    for member in _MEMBERS:
        blocks = as_list(result.get(member))
        if blocks is not None:
            return ResultType(_type_of(blocks), len(blocks))
    contents = as_list(result.get("contents"))
    return ResultType("object") if contents is None else ResultType("resource", len(contents))


def _type_of(blocks: list[Any]) -> str:
    """Return the common type of content blocks, which prompts wrap in messages; `object` if there are none."""
    found = {_block_type(block) for block in islice(blocks, _LOOKED_AT)}
    return next(iter(found), "object") if len(found) <= 1 else "mixed"


def _block_type(block: object) -> str:
    read = as_object(block) or {}
    stated = (as_object(read.get("content")) or read).get("type")
    return stated if isinstance(stated, str) and stated in _BLOCKS else "other"
