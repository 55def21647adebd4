"""A strict reader of JSON, slow and simple: every key and every number is looked at as text.

It is what `gateway.protocol.strict_json` was made of once, and what the faster one is compared with.
"""

import json
from typing import Any, NoReturn

import orjson

LARGEST = 2**53 - 1


class AmbiguousError(ValueError):
    """What no two readers need agree on; its text is the name of the fault."""


def strict(body: bytes) -> Any:
    """Return the value of a body; raise `AmbiguousError` for one that is refused."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise AmbiguousError("not_json") from error
    try:
        again = READER.decode(body.decode())
    except AmbiguousError:
        raise
    except (ValueError, RecursionError) as error:
        raise AmbiguousError("not_json") from error
    if again != value:
        raise AmbiguousError("not_json")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    node = dict(pairs)
    if len(node) != len(pairs):
        raise AmbiguousError("duplicate_key")
    return node


def _integer(text: str) -> int:
    if len(text) > len(str(-LARGEST)) or not -LARGEST <= int(text) <= LARGEST:
        raise AmbiguousError("number")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    mantissa = text.lower().partition("e")[0].lstrip("-").replace(".", "").strip("0")
    if len(mantissa) > 17 or number - number != 0 or (mantissa and not number):
        raise AmbiguousError("number")
    return number


def _constant(_text: str) -> NoReturn:
    raise AmbiguousError("not_json")


READER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
