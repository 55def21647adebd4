"""Suggested classes of action: named by their source, and never more harmless than either source says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.catalog.suggestion import suggestion

READ_ONLY: dict[str, Any] = {"readOnlyHint": True}


@pytest.mark.parametrize(
    ("name", "annotations", "action", "source"),
    [
        ("get_issue", None, "read", "the verb `get`"),
        ("getIssue", {}, "read", "the verb `get`"),
        ("files.list", None, "read", "the verb `list`"),
        ("issue-create", None, "write", "the verb `create`"),
        ("HTTPDelete", None, "delete", "the verb `delete`"),
        ("slack_post_message", None, "send", "the verb `post`"),
        ("runQuery", None, "execute", "the verb `run`"),
        ("read_and_delete", None, "delete", "the verb `delete`"),
        ("get_deleted_items", None, "read", "the verb `get`"),
        ("weather", None, "unknown", "neither"),
        ("weather", READ_ONLY, "read", "the annotation readOnlyHint=true"),
        ("weather", {"readOnlyHint": False}, "write", "the annotation readOnlyHint=false"),
        ("weather", {"destructiveHint": True}, "delete", "the annotation destructiveHint=true"),
        ("get_issue", READ_ONLY, "read", "and the annotation"),
        ("delete_issue", READ_ONLY, "delete", "against the annotation readOnlyHint=true"),
        ("get_issue", {"readOnlyHint": False}, "unknown", "against the annotation readOnlyHint=false"),
        ("write_file", {"destructiveHint": True}, "write", "and the annotation"),
        ("weather", {"readOnlyHint": "true"}, "unknown", "neither"),
        ("weather", [], "unknown", "neither"),
        ("", None, "unknown", "neither"),
    ],
)
def test_a_suggestion_comes_with_its_source(name: str, annotations: Any, action: str, source: str) -> None:
    found = suggestion({"name": name, "annotations": annotations})
    assert found.action == action
    assert source in found.source


@given(st.text())
def test_no_claim_of_the_server_makes_a_name_more_harmless(name: str) -> None:
    plain = suggestion({"name": name}).action
    claimed = suggestion({"name": name, "annotations": READ_ONLY}).action
    assert claimed == plain or (plain == "unknown" and claimed == "read")
