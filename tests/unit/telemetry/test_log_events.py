"""Every log event of the code is in the table, every event of the table is in the code, and the page is that table."""

import ast
import logging
import re
from pathlib import Path
from typing import Final

import pytest

from gateway.telemetry.log_events import GATEWAY, HUB, level_of
from tests.log_events_page import PAGE, page

ROOT: Final = Path(__file__).resolve().parents[3]
REPORTERS: Final = frozenset({"report", "_report", "_note", "_tell", "note"})
LIMITS: Final = frozenset({"connections", "descriptors", "unread_bytes"})
"""Limits that `Refusals.note` counts; they are no events."""
LINES: Final = frozenset({"log"})
"""Lines of libraries, whose level is their own."""


def reported(path: Path) -> set[str]:
    """Return the names of events that a module reports as literals, with the prefix of policy events."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in REPORTERS:
                prefix = "policy_" if name == "_note" else ""
                found |= {prefix + text for text in _names(node.args[0])}
    return {name.replace("policy_emergency_", "policy_") for name in found - LIMITS - LINES}


def _names(node: ast.expr) -> set[str]:
    if isinstance(node, ast.IfExp):
        return _names(node.body) | _names(node.orelse)
    if isinstance(node, ast.JoinedStr):  # f"{prefix}rejected"
        node = node.values[-1]
    text = node.value if isinstance(node, ast.Constant) else None
    return {text} if isinstance(text, str) and re.fullmatch(r"[a-z]+(?:_[a-z]+)*", text) else set()


def events_of(*packages: str) -> set[str]:
    return {
        name for package in packages for path in (ROOT / "gateway" / package).rglob("*.py") for name in reported(path)
    }


STALENESS: Final = {"policy_fresh", "policy_stale_soon", "policy_stale"}
"""Events whose name is looked up by state in `expiry_warnings`."""


def test_every_event_of_the_gateway_is_in_the_table_and_none_is_left_over() -> None:
    code = events_of("supervisor", "telemetry", "opa", "listening", "app", "cli")
    assert code | STALENESS == GATEWAY.keys()


def test_every_event_of_the_hub_is_in_the_table_and_none_is_left_over() -> None:
    assert events_of("hub", "listening") == HUB.keys()


def test_the_page_of_events_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make log-events`"


@pytest.mark.parametrize(
    "event", ["policy_rejected", "policy_emergency_rejected", "no_such_event", "upload_refused", "policy_stop_ended"]
)
def test_an_event_that_needs_someone_or_that_is_unknown_is_a_warning(event: str) -> None:
    assert level_of(event) == logging.WARNING


@pytest.mark.parametrize("event", ["policy_followed", "policy_emergency_followed", "uploaded", "listening"])
def test_an_event_as_intended_is_information(event: str) -> None:
    assert level_of(event) == logging.INFO
