"""The whole gateway as its users meet it: a real client, real OPA, a real server, a policy that is edited."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from gateway.cli.demo import demo_server
from tests.running import Gateway, running

READS: dict[str, Any] = {
    "rules": [
        {
            "rule": "reads",
            "effect": "allow",
            "what": {"actions": ["read", "list"]},
            "reason": "harmless",
            "owner": "o@e.c",
        }
    ]
}
HELD: dict[str, Any] = {
    "rule": "deletes-wait",
    "effect": "hold",
    "what": {"actions": ["delete"]},
    "reason": "a person looks first",
    "owner": "o@e.c",
}
CLOSED: dict[str, Any] = {
    "rules": [
        *READS["rules"],
        {
            "rule": "nobody-lists",
            "effect": "deny",
            "what": {"tools": ["list_files"]},
            "reason": "closed",
            "owner": "o@e.c",
        },
    ]
}
TOOLS: dict[str, Any] = {
    "list_files": {"action": "read"},
    "read_file": {"action": "read"},
    "write_file": {"action": "write"},
    "delete_file": {"action": "delete"},
}


@pytest.fixture(scope="module")
def files() -> Generator[tuple[str, Path]]:
    """The demo server's URL, and the directory that it works in."""
    with demo_server(0) as (url, directory):
        yield url, directory


def _demo(url: str) -> dict[str, Any]:
    return {"server": "demo", "title": "Demo", "url": url, "owner": "o@e.c", "trust": "low", "tools": TOOLS}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_one_call_is_allowed_one_refused_and_one_rule_edited_all_in_the_journal(
    tmp_path: Path, files: tuple[str, Path], mode: Any
) -> None:
    url, directory = files
    kept = directory / "kept.txt"
    kept.write_text("kept", encoding="utf-8")
    async with running(tmp_path, servers={"demo": _demo(url)}, files={"rules/open.yaml": READS}) as gateway:
        async with Client(gateway.url("demo"), mode=mode) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == {"list_files", "read_file"}
            allowed = await client.call_tool("list_files", {})
            assert not allowed.is_error
            assert "kept.txt" in _text(allowed)
            refused = await client.call_tool("delete_file", {"path": "kept.txt"})
            assert refused.is_error
            assert "rules_permit" in _text(refused)
            assert kept.read_text(encoding="utf-8") == "kept"
            revision = await gateway.revision()
            gateway.save("rules/open.yaml", CLOSED)
            await gateway.enforced_after(revision)
            closed = await client.call_tool("list_files", {})
            assert closed.is_error
            assert "closed" in _text(closed)
        _recorded(gateway)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("more", [[], READS["rules"]], ids=["alone", "beside-permissions"])
async def test_a_rule_that_holds_one_tool_stops_its_calls_and_nothing_else(
    tmp_path: Path, files: tuple[str, Path], mode: Any, more: list[Any]
) -> None:
    url, directory = files
    kept = directory / "held.txt"
    kept.write_text("kept", encoding="utf-8")
    rules = {"rules/open.yaml": {"rules": [HELD, *more]}}
    async with running(tmp_path, servers={"demo": _demo(url)}, files=rules) as gateway:
        async with Client(gateway.url("demo"), mode=mode) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            assert listed == {"delete_file", *({"list_files", "read_file"} if more else ())}
            await client.list_resources()
            held = await client.call_tool("delete_file", {"path": "held.txt"})
            assert held.is_error
            assert "approval_required" in _text(held)
            assert kept.read_text(encoding="utf-8") == "kept"
        (call,) = [record for record in gateway.records("decided") if record["method"] == "tools/call"]
        assert (call["outcome"], call["rule"]) == ("hold", "deletes-wait")
        assert call["call_id"] not in {record["call_id"] for record in gateway.records("completed")}


def _recorded(gateway: Gateway) -> None:
    decided = {record["target"].get("name"): record for record in gateway.records("decided")}
    calls = [record for record in gateway.records("decided") if record["method"] == "tools/call"]
    assert [(call["target"]["name"], call["outcome"]) for call in calls] == [
        ("list_files", "allow"),
        ("delete_file", "deny"),
        ("list_files", "deny"),
    ]
    assert calls[0]["rule"] == "reads"
    assert calls[0]["agent"]["owner"] == "test@example.com"
    assert calls[0]["revision"] != calls[2]["revision"]
    completed = {record["call_id"] for record in gateway.records("completed")}
    assert calls[0]["call_id"] in completed
    assert calls[1]["call_id"] not in completed
    assert decided


def _text(result: Any) -> str:
    return "\n".join(json.dumps(part.model_dump(mode="json")) for part in result.content)
