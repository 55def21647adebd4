"""Shared fixtures of `gateway.review`: rows and data of a small bundle."""

from typing import Any

from gateway.review.recorded_decision import RecordedDecision

REQUIREMENTS: dict[str, Any] = {
    "rules_permit": {"reads": ["data.rules", "input.arguments", "input.server.id"]},
    "server_is_listed": {"reads": ["data.catalog.servers", "input.server.id"]},
    "recipients_are_known": {"reads": ["input.arguments.to"]},
}


def a_question(**arguments: Any) -> dict[str, Any]:
    return {
        "server": {"id": "mail"},
        "target": {"type": "tool", "name": "send", "uri": None},
        "client": {"name": "c", "version": "1"},
        "principal": {"claims": {}},
        "context": {"headers": {}, "time": {"unix_ns": 1}, "gateway": {"id": "g"}},
        "arguments": arguments,
        "arguments_meta": {"digest": ""},
    }


def a_row(question: dict[str, Any] | None = None, **changes: Any) -> RecordedDecision:
    fields: dict[str, Any] = {
        "call_id": "call-1",
        "time": "2026-11-20T14:00:00Z",
        "outcome": "deny",
        "input": a_question(to="a@example.com") if question is None else question,
        "whole": True,
        "agent": "bot",
        "server": "mail",
        "target": "send",
    }
    return RecordedDecision(**(fields | changes))


def data(*conditions: str, requirements: dict[str, Any] | None = None) -> dict[str, Any]:
    """The data of a bundle with one rule on server `mail` that compares these arguments, and one on another."""
    leaf: dict[str, Any] = {"allow": [], "look": {"own": None}}
    other: dict[str, Any] = {"allow": ["elsewhere"], "look": {}}
    empty: dict[str, Any] = {"allow": [], "look": {}}
    return {
        "requirements": REQUIREMENTS if requirements is None else requirements,
        "rules": {
            "own": {"arguments": [{"path": path, "equals": 1} for path in conditions]},
            "elsewhere": {"arguments": [{"path": "/secretly", "equals": 1}]},
        },
        "index": {
            "rules": {"*": {"read": {"any": empty}}, "mail": {"send": {"any": leaf}}, "files": {"read": {"any": other}}}
        },
    }
