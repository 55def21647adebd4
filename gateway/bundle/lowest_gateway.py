"""Which gateway a bundle needs, by what its policy asks gateways to do.

Rule 1: an earlier gateway would pass over a setting that it does not know, so that the bundle would permit more there.
Rule 2: a policy that uses none of these settings is enforced by every gateway.
"""

from collections.abc import Iterator
from typing import Any, Final

from gateway.bundle.manifest import LOWEST_GATEWAY
from gateway.bundle.plain import Json, is_object

CHECKS_SERVERS: Final = "0.2.0"
"""The first gateway that checks structured results, instructions, and schemas strictly."""


def lowest_gateway(data: Json) -> str:
    """Return the version of the first gateway that enforces all of a bundle's data."""
    return CHECKS_SERVERS if any(_asked(data)) else LOWEST_GATEWAY


def _asked(data: Json) -> Iterator[bool]:
    yield _at(data, "environment").get("check_schemas") == "strict"
    for server in _at(data, "catalog", "servers").values():
        yield is_object(server) and (server.get("check_output") is True or server.get("instructions") is not None)


def _at(value: Any, *path: str) -> Json:
    for key in path:
        value = value.get(key) if is_object(value) else None
    return value if is_object(value) else {}
