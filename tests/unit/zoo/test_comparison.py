"""What the zoo counts as a difference between a direct conversation and one through the gateway."""

from typing import Any, Final

from tests.zoo.comparison import REASON, Difference, differences, refused, unexplained

TOOLS: Final[dict[str, Any]] = {"result": {"tools": [{"name": "add"}, {"name": "delete"}], "endless": False}}
DIRECT: Final[dict[str, Any]] = {
    "tools": TOOLS,
    "before refused": {"result": "none"},
    "refused": {"result": "deleted"},
    "after refused": {"result": "today"},
}
THROUGH: Final[dict[str, Any]] = {
    "tools": {"result": {"tools": [{"name": "add"}], "endless": False}},
    "before refused": {"result": "none"},
    "refused": {"result": {"isError": True, "content": [{"text": f"Blocked. {REASON}"}]}},
    "after refused": {"result": "none"},
}


def test_equal_transcripts_have_no_difference() -> None:
    assert differences({"a": {"x": [1, "t"]}}, {"a": {"x": [1, "t"]}}) == []


def test_a_changed_a_missing_and_an_additional_step_differ() -> None:
    found = differences({"a": 1, "b": 2}, {"a": 2, "c": 3})
    assert found == [Difference("a", 1, 2), Difference("b", 2, None), Difference("c", None, 3)]


def test_only_the_caching_of_lists_is_left_to_the_gateway() -> None:
    assert differences({"a": {"ttlMs": 1, "cacheScope": "public"}}, {"a": {"cacheScope": "private"}}) == []
    assert differences({"a": {"ttlms": 1}}, {"a": {}})


def test_volatile_text_is_replaced_and_nothing_beside_it() -> None:
    assert differences({"a": ["at 12:01 ok"]}, {"a": ["at 12:02 ok"]}, ["[0-9]{2}:[0-9]{2}"]) == []
    assert differences({"a": ["at 12:01 ok"]}, {"a": ["at 12:02 no"]}, ["[0-9]{2}:[0-9]{2}"])


def test_a_refused_tool_is_hidden_refused_with_the_reason_and_not_run() -> None:
    assert refused(DIRECT, THROUGH, "delete") == []


def test_a_refused_tool_that_is_listed_ran_or_is_refused_without_the_reason_is_a_difference() -> None:
    changes: dict[str, Any] = {
        "tools": TOOLS,
        "after refused": {"result": "today"},
        "refused": {"result": {"isError": True, "content": []}},
    }
    for step, outcome in changes.items():
        found = refused(DIRECT, {**THROUGH, step: outcome}, "delete")
        assert [one.step for one in found] == [step]
    assert refused(DIRECT, {**THROUGH, "refused": {"result": f"no error: {REASON}"}}, "delete")


def test_a_difference_without_a_reason_and_a_reason_without_a_difference_are_both_wrong() -> None:
    found = [Difference("a", 1, 2)]
    assert unexplained(found, {"a": "meant"}) == []
    assert "a:" in unexplained(found, {})[0]
    assert "does not exist" in unexplained(found, {"a": "meant", "b": "gone"})[0]
