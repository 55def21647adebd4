"""The records of a whole gateway: as the published schema says, small, and with the request id of their exchange."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import httpx
import jsonschema_rs
import pytest

from gateway.cli.demo import demo_server
from gateway.journal.record_schema import record_schema
from tests.running import Gateway, running

ALLOW_BYTES: Final = 1200
RULES: Final[dict[str, Any]] = {
    "rules": [
        {
            "rule": "demo-may-be-read",
            "effect": "allow",
            "what": {"actions": ["read", "list"]},
            "reason": "Reading the demo's files is harmless.",
            "owner": "you@example.com",
        }
    ]
}
TOOLS: Final[dict[str, Any]] = {"read_file": {"action": "read"}, "delete_file": {"action": "delete"}}
HEADERS: Final = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
}
TRACED: Final = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
META: Final[dict[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "2.1"},
}


@pytest.fixture(scope="module")
def files() -> Generator[tuple[str, Path]]:
    """The demo server's URL, and the directory that it works in."""
    with demo_server(0) as (url, directory):
        yield url, directory


async def call(gateway: Gateway, tool: str, **more: str) -> httpx.Response:
    params = {"name": tool, "arguments": {"path": "welcome.md"}, "_meta": META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = HEADERS | {"mcp-name": tool} | {name.replace("_", "-"): value for name, value in more.items()}
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(gateway.url("demo"), json=body, headers=headers)


def lines(gateway: Gateway) -> list[tuple[int, dict[str, Any]]]:
    """Return the size and the content of every line of the journal."""
    found: list[tuple[int, dict[str, Any]]] = []
    for segment in sorted(gateway.journal.glob("*.jsonl")):
        content = segment.read_bytes().rstrip(b"\0")
        found += [(len(line) + 1, json.loads(line)) for line in content.split(b"\n") if line]
    return found


async def test_records_are_small_and_valid_and_name_their_exchange(tmp_path: Path, files: tuple[str, Path]) -> None:
    catalog = {"server": "demo", "title": "Demo", "url": files[0], "owner": "o@e.c", "trust": "low", "tools": TOOLS}
    journal = {"journal": {"masking": "masked"}}
    async with running(
        tmp_path, servers={"demo": catalog}, files={"rules/open.yaml": RULES}, settings=journal
    ) as gateway:
        await call(gateway, "read_file")
        plain = await call(gateway, "read_file")
        allowed = await call(gateway, "read_file", x_request_id="second-7", **TRACED)
        denied = await call(gateway, "delete_file", x_request_id="third")
        hostile = await call(gateway, "read_file", x_request_id="a b;c")
    written = lines(gateway)
    valid = jsonschema_rs.Draft202012Validator(record_schema(), validate_formats=True)
    for _, line in written:
        assert valid.is_valid(line), [error.message for error in valid.iter_errors(line)]
    assert {"decided", "completed", "described", "policy"} <= {line["kind"] for _, line in written}
    assert (allowed.headers["x-request-id"], denied.headers["x-request-id"]) == ("second-7", "third")
    mine = {line["kind"]: line for _, line in written if line.get("request_id") == "second-7"}
    assert mine.keys() == {"decided", "completed"}
    record = mine["decided"]
    assert record["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert record["unverified"] == ["request_id", "trace_id"]
    sizes = [size for size, line in written if line.get("request_id") == plain.headers["x-request-id"]]
    assert len(sizes) == 2
    assert sum(sizes) <= ALLOW_BYTES
    made = hostile.headers["x-request-id"]
    assert made not in {"a b;c", ""}
    assert any(line.get("request_id") == made for _, line in written)
    assert "a b;c" not in "".join(map(str, written))
