"""Worlds are never modified, and patches contain exactly the differences."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.review.whatif.patched_world import World, indexed, off_data, on_data, on_question, patch, put, without

_KEYS = st.sampled_from(["a", "b", "a/b", "~", ""])
_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=10,
)


def patched(value: Any, operations: list[dict[str, Any]]) -> Any:
    """Return the value after RFC 6902 operations on objects."""
    for operation in operations:
        path = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        if operation["op"] == "remove":
            value = without(value, tuple(path))
        else:
            value = put(value, tuple(path), operation["value"])
    return value


@settings(deadline=None)
@given(st.dictionaries(_KEYS, _TREES, max_size=3), st.dictionaries(_KEYS, _TREES, max_size=3))
def test_a_patch_makes_the_new_value_of_the_old_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = copy.deepcopy(old)
    assert patched(old, list(patch(old, new))) == new
    assert old == before


def test_an_identical_object_needs_no_patch() -> None:
    shared = {"a": {"b": 1}}
    assert list(patch({"x": shared, "y": 1}, {"x": shared, "y": 2})) == [{"op": "replace", "path": "/y", "value": 2}]


def test_a_change_returns_a_new_world_that_shares_unchanged_parts() -> None:
    world = World({"arguments": {"to": "a"}}, {"rules": {"r": {"mode": "warn"}, "s": {}}, "agents": {}})
    kept = copy.deepcopy(world)
    after = on_data("rules", "r", "mode", to=None)(on_question("arguments", "to", to="b")(world))
    assert (after.question, after.data["rules"]["r"]) == ({"arguments": {"to": "b"}}, {"mode": None})
    assert after.data["agents"] is world.data["agents"]
    assert off_data("rules", "r")(world).data["rules"] == {"s": {}}
    assert world == kept


def test_data_that_did_not_change_keep_their_index() -> None:
    index: dict[str, Any] = {name: {"kept": 1} for name in ("rules", "who", "seals", "agent_seals", "server_seals")}
    data: dict[str, Any] = {"rules": {}, "agents": {}, "catalog": {"servers": {}}, "index": index}
    assert indexed(data, data)["index"] == index
