"""The table of methods gives sender, kind, target and action of every message."""

from typing import Any

import orjson
import pytest

from gateway.protocol.message import Notification, Request, read
from gateway.protocol.methods import (
    METHODS,
    SESSION_CLOSE,
    STREAM_OPEN,
    Direction,
    Method,
    TargetPlace,
    lookup,
    markdown,
    row_of,
    target_of,
)
from gateway.protocol.revisions import LEGACY, MODERN, SUPPORTED

NOW = "2026-07-28"
LAST = "2025-11-25"


def row(method: str, revision: str = LAST, direction: Direction = "client") -> Method:
    found = lookup(method, direction=direction, revision=revision)
    assert found is not None
    return found


def parsed(method: str, **members: Any) -> Request | Notification:
    message = read(orjson.dumps({"jsonrpc": "2.0", "method": method, **members}))
    assert isinstance(message, Request | Notification)
    return message


def test_no_message_has_two_rows() -> None:
    keys = [(entry.name, entry.direction, revision) for entry in METHODS for revision in entry.revisions]
    assert len(keys) == len(set(keys))


def test_every_row_has_known_revisions() -> None:
    for entry in METHODS:
        assert entry.revisions
        assert set(entry.revisions) <= set(SUPPORTED)


def test_only_four_client_messages_are_not_asked() -> None:
    assert {entry.name for entry in METHODS if entry.direction == "client" and entry.asked == "no"} == {
        "ping",
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
    }


def test_every_server_request_but_ping_is_asked() -> None:
    requests = [entry for entry in METHODS if entry.direction == "server" and entry.kind == "request"]
    assert {entry.name for entry in requests if entry.asked == "no"} == {"ping"}


def test_unasked_messages_are_counted_and_asked_client_messages_recorded_in_pairs() -> None:
    for entry in METHODS:
        if entry.asked == "no":
            assert entry.recorded == "count"
        elif entry.direction == "client":
            assert entry.recorded == "pair"


def test_only_lists_have_a_field_to_filter() -> None:
    assert {entry.name: entry.list_field for entry in METHODS if entry.list_field} == {
        "tools/list": "tools",
        "resources/list": "resources",
        "resources/templates/list": "resourceTemplates",
        "prompts/list": "prompts",
    }
    assert all((entry.asked == "list") is bool(entry.list_field) for entry in METHODS)


def test_three_requests_may_take_several_rounds() -> None:
    assert {entry.name for entry in METHODS if entry.multi_round_trip} == {
        "tools/call",
        "prompts/get",
        "resources/read",
    }
    assert {entry.name for entry in METHODS if entry.named_by == "required"} == {
        *("tools/call", "prompts/get", "resources/read"),
    }


def test_the_cacheable_results_are_those_of_the_specification() -> None:
    lists = {entry.name for entry in METHODS if entry.list_field}
    assert {entry.name for entry in METHODS if entry.cacheable} == {"server/discover", "resources/read", *lists}


def test_a_target_has_a_place() -> None:
    assert all((entry.target == "none") is (entry.field == "") for entry in METHODS)


def test_notifications_are_dropped_and_requests_are_answered() -> None:
    assert all((entry.refusal == "drop") is (entry.kind == "notification") for entry in METHODS)


def test_a_refused_tool_call_is_a_tool_result() -> None:
    assert {entry.name for entry in METHODS if entry.refusal == "tool_error"} == {"tools/call"}


def test_a_tool_call_is_unknown_until_the_catalog_says_what_it_does() -> None:
    assert {entry.name for entry in METHODS if entry.action == "unknown"} == {"tools/call"}


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/result"])
def test_the_modern_era_has_no_sessions(method: str) -> None:
    assert lookup(method, direction="client", revision=NOW) is None


@pytest.mark.parametrize("method", ["server/discover", "subscriptions/listen", "tasks/update"])
def test_the_legacy_era_has_nothing_modern(method: str) -> None:
    assert all(lookup(method, direction="client", revision=revision) is None for revision in LEGACY)


@pytest.mark.parametrize("method", ["sampling/createMessage", "roots/list", "elicitation/create", "ping"])
def test_a_modern_server_requests_nothing(method: str) -> None:
    assert all(lookup(method, direction="server", revision=revision) is None for revision in MODERN)


@pytest.mark.parametrize("method", ["stream/open", "session/close", "tools/Call", "tools/call ", "", "rpc.discover"])
def test_a_body_cannot_name_what_is_not_a_method(method: str) -> None:
    assert all(lookup(method, direction="client", revision=revision) is None for revision in SUPPORTED)


def test_each_side_sends_its_own() -> None:
    assert lookup("tools/call", direction="server", revision=LAST) is None
    assert lookup("elicitation/create", direction="client", revision=LAST) is None
    assert row("ping").direction == "client"
    assert row("ping", direction="server").direction == "server"


def test_an_unknown_revision_has_no_methods() -> None:
    assert lookup("tools/list", direction="client", revision="2099-01-01") is None


def test_a_request_method_without_an_id_has_no_row() -> None:
    assert row_of(parsed("tools/call", id=1), direction="client", revision=LAST) is row("tools/call")
    assert row_of(parsed("tools/call"), direction="client", revision=LAST) is None
    assert row_of(parsed("tools/run", id=1), direction="client", revision=LAST) is None


def test_a_notification_with_an_id_has_no_row() -> None:
    assert row_of(parsed("notifications/initialized", id=1), direction="client", revision=LAST) is None
    assert row_of(parsed("notifications/initialized"), direction="client", revision=LAST) is not None


@pytest.mark.parametrize(
    ("method", "params", "place"),
    [
        ("tools/list", {"name": "ignored"}, TargetPlace("none")),
        ("tools/call", {"name": "echo"}, TargetPlace("tool", name="echo")),
        ("prompts/get", {"name": "greet"}, TargetPlace("prompt", name="greet")),
        ("resources/read", {"uri": "a:b"}, TargetPlace("resource", uri="a:b")),
        ("resources/subscribe", {"uri": "a:b"}, TargetPlace("resource", uri="a:b")),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, TargetPlace("prompt", name="p")),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "u"}}, TargetPlace("resource", uri="u")),
        ("tasks/cancel", {"taskId": "t"}, TargetPlace("task", name="t")),
    ],
)
def test_the_target_is_where_the_table_says(method: str, params: dict[str, Any], place: TargetPlace) -> None:
    assert target_of(row(method), params) == place


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": 5}),
        ("tools/call", {"name": ""}),
        ("tools/call", {"name": "x" * 1025}),
        ("tools/call", {"uri": "x"}),
        ("resources/read", {"uri": None}),
        ("resources/read", {"uri": "x" * 8193}),
        ("completion/complete", {"ref": "p"}),
        ("completion/complete", {"ref": {"type": "ref/other", "name": "p"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p", "uri": "u"}}),
        ("completion/complete", {"ref": {"type": "ref/resource", "name": "p", "uri": "u"}}),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": 5}}),
        ("tasks/get", {"taskId": 5}),
    ],
)
def test_a_target_that_is_not_there_is_malformed(method: str, params: dict[str, Any]) -> None:
    assert target_of(row(method), params) is None


def test_get_and_delete_are_in_the_table() -> None:
    assert (STREAM_OPEN.name, STREAM_OPEN.asked) == ("stream/open", "stream")
    assert (SESSION_CLOSE.name, SESSION_CLOSE.asked) == ("session/close", "message")


def test_the_readme_shows_every_row() -> None:
    lines = markdown().splitlines()
    assert len(lines) == len(METHODS) + 2
    assert {line.count("|") for line in lines} == {9}
    assert "| `tools/list` | client | all | - | list | list | pair | rpc_error |" in lines
    assert any("| `logging/setLevel` | client | 2024-11-05 to 2025-11-25 |" in line for line in lines)
    for entry in METHODS:
        assert any(f"`{entry.name}`" in line and f"| {entry.direction} |" in line for line in lines)
