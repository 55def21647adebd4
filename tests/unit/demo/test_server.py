import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mcp.client import Client
from mcp_types import CallToolResult, TextContent, TextResourceContents

STARTED = [sys.executable, "-W", "error", "-m", "gateway.demo", "--port", "0", "--directory"]


@pytest.fixture
def started(tmp_path: Path, checkout: Path) -> Generator["subprocess.Popen[str]"]:
    command = [*STARTED, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.fixture
def url(started: "subprocess.Popen[str]", tmp_path: Path) -> str:
    assert started.stdout
    ready = json.loads(started.stdout.readline())
    assert ready["directory"] == str(tmp_path)
    return str(ready["ready"])


def text(result: object) -> str:
    assert isinstance(result, CallToolResult)
    content = result.content[0]
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_real_client_uses_every_tool(url: str, tmp_path: Path, mode: str) -> None:
    async with Client(url, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == ["list_files", "read_file", "write_file", "delete_file", "send_message", "run_command"]
        assert all(tool.annotations and tool.annotations.read_only_hint is not None for tool in tools.values())
        assert "Welcome" in text(await client.call_tool("read_file", {"path": "welcome.md"}))
        await client.call_tool("write_file", {"path": "a.txt", "text": "hello"})
        assert (tmp_path / "a.txt").read_text() == "hello"
        await client.call_tool("delete_file", {"path": "a.txt"})
        assert not (tmp_path / "a.txt").exists()
        await client.call_tool("send_message", {"to": "a@example.com", "text": "hi"})
        assert "a@example.com" in (tmp_path / "outbox.jsonl").read_text()
        assert "outbox.jsonl" in text(await client.call_tool("run_command", {"command": "files"}))


async def test_a_failing_tool_says_why_and_only_listed_programs_run(url: str) -> None:
    async with Client(url) as client:
        missing = await client.call_tool("read_file", {"path": "nothing.txt"})
        assert missing.is_error
        assert "does not exist" in text(missing)
        refused = await client.call_tool("run_command", {"command": "cat /etc/passwd"})
        assert refused.is_error


async def test_resources_and_the_prompt_are_served(url: str) -> None:
    async with Client(url) as client:
        assert [str(resource.uri) for resource in (await client.list_resources()).resources] == ["demo://welcome"]
        contents = (await client.read_resource("demo://notes/todo.md")).contents[0]
        assert isinstance(contents, TextResourceContents)
        assert "connect an agent" in contents.text
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["summarize"]


def test_the_server_ends_when_the_pipe_of_its_parent_closes(started: "subprocess.Popen[str]", url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    _, errors = started.communicate(timeout=60)
    assert (started.returncode, errors) == (0, "")


def test_a_taken_port_is_named_with_what_to_do(url: str, tmp_path: Path, checkout: Path) -> None:
    port = str(urlsplit(url).port)
    command = [sys.executable, "-m", "gateway.demo", "--port", port, "--directory", str(tmp_path)]
    ended = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert f"port {port} of 127.0.0.1 cannot be used" in ended.stderr
