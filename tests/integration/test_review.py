"""What a running gateway recorded is replayed, exported and explained from its own journal and policy."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client

from tests.running import catalog, running, until, write_environment
from tests.servers.fixtures import recorder, recording_process
from tests.servers.recording import Recorder
from tests.unit.supervisor.support import alive

__all__ = ["recorder", "recording_process"]

RULES: Final[dict[str, Any]] = {
    "rules": [
        {"rule": "everything", "effect": "allow", "reason": "a test", "owner": "test@example.com"},
        {
            "rule": "no-loud-words",
            "effect": "deny",
            "what": {"servers": ["rec"], "tools": ["echo"]},
            "arguments": [{"path": "/text", "prefix": "LOUD"}],
            "reason": "It is late.",
            "owner": "test@example.com",
        },
    ]
}
TARGETS: Final[dict[str, Any]] = {"tools": {"echo": {"action": "read"}}}


async def mcp(*words: object) -> tuple[int, str]:
    """Run the command line, and return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "gateway", *(str(word) for word in words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.parametrize("masking", ["full", "masked"])
async def test_what_a_gateway_recorded_is_replayed_exported_and_explained(
    recorder: Recorder, tmp_path: Path, masking: str
) -> None:
    entry = catalog("rec", recorder.url, **TARGETS)
    async with (
        running(
            tmp_path,
            servers={"rec": entry},
            files={"rules/open.yaml": RULES},
            settings={"journal": {"masking": masking}},
        ) as gateway,
        Client(gateway.url("rec"), mode="legacy") as client,
    ):
        assert not (await client.call_tool("echo", {"text": "hello"})).is_error
        assert (await client.call_tool("echo", {"text": "LOUD hello"})).is_error
    assert [call["name"] for call in recorder.calls("tools/call")] == ["echo"]
    policy = ("--policy", tmp_path / "policy", "-e", "test")
    same = await mcp("replay", *policy, "--journal", gateway.journal, "--format", "json")
    assert same[0] == 0, same[1]
    report = json.loads(same[1])
    assert (report["flips"], report["not_replayed"]) == ([], {})
    (denied,) = [record for record in gateway.records("decided") if record["outcome"] == "deny"]
    _, told = await mcp("explain", denied["call_id"], "--config", tmp_path / "settings.yaml")
    assert "deny no-loud-words  rules/open.yaml:" in told
    assert '/text: prefix "LOUD"; it was "LOUD hello"' in told
    assert "remove rule no-loud-words" in told
    assert "this is not the policy" not in told
    gateway.save("rules/open.yaml", {"rules": RULES["rules"][:1]})
    _, public = await mcp("journal", "keygen", "-o", tmp_path / "ci.key")
    words = ("--config", tmp_path / "settings.yaml", "--to-key", public.strip(), "-o", tmp_path / "corpus.age")
    assert (await mcp("journal", "export", *words))[0] == 0
    corpus = ("--journal", tmp_path / "corpus.age", "--key-file", tmp_path / "ci.key")
    code, loosened = await mcp("replay", *policy, *corpus)
    assert code == 1
    assert "deny → allow  1 times  anyone → rec echo" in loosened
    assert "FAILED: 1 refused or held decisions would be allowed" in loosened


async def test_a_killed_replay_leaves_no_opa_behind(tmp_path: Path) -> None:
    write_environment(tmp_path / "policy" / "bundles" / "test", {"rec": "http://127.0.0.1:9/mcp"}, None, "test")
    pipe = tmp_path / "records.jsonl"
    os.mkfifo(pipe)
    words = ("replay", "--policy", tmp_path / "policy", "-e", "test", "--journal", pipe)
    command = [sys.executable, "-m", "gateway", *map(str, words)]
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, "TMPDIR": str(tmp_path)})

    async def started() -> list[int] | None:
        return _children(process.pid) or None

    (opa,) = await until(started, lambda: "no OPA was started")
    process.send_signal(signal.SIGKILL)
    await process.wait()

    async def gone() -> bool | None:
        return None if alive(opa) else True

    assert await until(gone, lambda: f"OPA {opa} lives on")


def _children(pid: int) -> list[int]:
    """The processes whose parent is `pid` and that serve on a socket of their own."""
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_bytes()
        except (OSError, IndexError, ValueError):
            continue
        if parent == pid and b"--server" in command:
            found.append(int(status.parent.name))
    return found
