"""The table agrees with the official SDK's own registry of methods, revision by revision."""

from collections.abc import Iterable

import pytest
from mcp_types import methods as sdk

from gateway.protocol.methods import METHODS, Direction
from gateway.protocol.revisions import SUPPORTED

WITHOUT_TASKS = [row for row in METHODS if "tasks" not in row.name and row.verb == "POST"]
"""The SDK has neither the experimental tasks of 2025-11-25 nor the extension of 2026-07-28."""

DROPPED = {("notifications/cancelled", "2026-07-28")}
"""Over HTTP the modern era cancels by closing the stream, so a client's notification is refused."""


def ours(direction: Direction, kind: str) -> set[tuple[str, str]]:
    rows = [row for row in WITHOUT_TASKS if row.direction == direction and row.kind == kind]
    return {(row.name, revision) for row in rows for revision in row.revisions}


def theirs(registry: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(method, revision) for method, revision in registry if revision in SUPPORTED}


@pytest.mark.parametrize(
    ("direction", "kind", "registry"),
    [
        ("client", "request", theirs(sdk.CLIENT_REQUESTS)),
        ("client", "notification", theirs(sdk.CLIENT_NOTIFICATIONS) - DROPPED),
        ("server", "request", theirs(sdk.SERVER_REQUESTS)),
        ("server", "notification", theirs(sdk.SERVER_NOTIFICATIONS)),
    ],
)
def test_every_method_of_the_sdk_is_known_and_no_other(
    direction: Direction, kind: str, registry: set[tuple[str, str]]
) -> None:
    assert ours(direction, kind) == registry


def test_cacheable_and_multi_round_methods_agree_with_the_sdk() -> None:
    assert {row.name for row in METHODS if row.cacheable} == set(sdk.CACHEABLE_METHODS)
    assert {row.name for row in METHODS if row.multi_round_trip} == set(sdk.INPUT_REQUIRED_METHODS)
