"""A new policy repository passes the commands that its users run."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway import __version__
from gateway.cli.bundle.build import command as build
from gateway.cli.check import command as check
from gateway.cli.init import command, templates
from gateway.settings import Settings, load

WANTED = {
    "README.md",
    ".gitignore",
    ".github/CODEOWNERS",
    ".github/workflows/policy.yml",
    "ci/policy.sh",
    "ci/rehearse.sh",
    "requirements.txt",
    "settings.yaml",
    "settings.production.yaml",
    "rego/mcp/requirements/recipients_are_known/recipients_are_known.rego",
    "rego/mcp/requirements/recipients_are_known/recipients_are_known_test.rego",
    *(f"bundles/{name}/environment.yaml" for name in ("dev", "production")),
    *(f"bundles/{name}/scenarios/mail.yaml" for name in ("dev", "production")),
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "policies"
    result = CliRunner().invoke(command, [str(directory), "--owner", "security@example.com"])
    assert result.exit_code == 0, result.output
    assert "bash ci/rehearse.sh" in result.output, "the way to a hub is the next step after a gateway"
    return directory


def test_everything_that_a_policy_repository_has_is_made(made: Path) -> None:
    files = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert files >= WANTED
    assert files == {path for path, _ in templates("a@example.com")}


def test_no_placeholder_is_left(made: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in made.rglob("*") if path.is_file()]
    assert not any(re.search(r"@[A-Z]+@", text) for text in texts)
    assert sum("security@example.com" in text for text in texts) > 4


def test_the_stock_library_is_pinned_to_this_version(made: Path) -> None:
    assert f"mcp-admission=={__version__}\n" in (made / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["settings.yaml", "settings.production.yaml"])
def test_the_settings_are_settings(made: Path, name: str) -> None:
    loaded = load(made / name, {})
    assert isinstance(loaded, Settings), str(loaded)


def test_only_development_takes_anonymous_callers(made: Path) -> None:
    dev, production = load(made / "settings.yaml", {}), load(made / "settings.production.yaml", {})
    assert isinstance(dev, Settings)
    assert isinstance(production, Settings)
    assert dev.identity.anonymous
    assert dev.refusal.organization_message == "Ask in #agents if you need this."
    assert dev.listen.host == "127.0.0.1"
    assert not production.identity.anonymous
    assert "anonymous: true" not in (made / "bundles/production/agents/support-bot.yaml").read_text(encoding="utf-8")


def test_a_repository_that_git_has_just_made_is_empty_enough(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert CliRunner().invoke(command, [str(tmp_path)]).exit_code == 0


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 1
    assert "is not empty" in result.output
    assert [path.name for path in tmp_path.rglob("*")] == ["README.md"]


@pytest.mark.parametrize("owner", ["alice", "a: b@example.com", "x@y\nz", ""])
def test_an_owner_is_a_mail_address(tmp_path: Path, owner: str) -> None:
    assert CliRunner().invoke(command, [str(tmp_path / "new"), "--owner", owner]).exit_code == 1
    assert not (tmp_path / "new").exists()


def test_check_finds_it_in_order(made: Path) -> None:
    result = CliRunner().invoke(check, [str(made)])
    assert result.exit_code == 0, result.output
    assert "dev: " in result.output
    assert "production: " in result.output


def test_the_bundle_of_production_is_built(made: Path, tmp_path: Path) -> None:
    output = tmp_path / "bundle.tar.gz"
    result = CliRunner().invoke(build, ["production", "--policy", str(made), "--output", str(output)])
    assert result.exit_code == 0, result.output
    assert output.stat().st_size > 1000


@pytest.fixture
def served(made: Path, tmp_path: Path) -> Generator[dict[str, Any]]:
    """What `serve` says when it listens."""
    environ = {
        **os.environ,
        "MCP_ADMISSION_LISTEN_PORT": "0",
        "MCP_ADMISSION_ADMIN_PORT": "0",
        "MCP_ADMISSION_STATE_DIRECTORY": str(tmp_path / "state"),
    }
    command_line = [sys.executable, "-m", "gateway", "serve", "--config", str(made / "settings.yaml")]
    with subprocess.Popen(command_line, env=environ, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        lines = (json.loads(line) for line in running.stderr)
        yield next(line["fields"] for line in lines if line["message"] == "listening")
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)


def test_serve_enforces_it_unchanged(served: dict[str, Any]) -> None:
    with httpx.Client(timeout=5) as client:
        ready = _until_ready(client, served["admin"])
        assert ready["workers"][0]["revision"].startswith("dev@")
        call: dict[str, Any] = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "delete_mail", "arguments": {}},
        }
        accept = {"accept": "application/json, text/event-stream"}
        answer = client.post(f"{served['url']}/servers/mail/mcp", json=call, headers=accept).json()
        assert answer["result"]["isError"]
        assert "mail-is-kept" in json.dumps(answer) or "rules_permit" in json.dumps(answer)


def _until_ready(client: httpx.Client, admin: str) -> dict[str, Any]:
    ends = time.monotonic() + 60
    while True:
        answer = client.get(f"{admin}/readyz")
        if answer.status_code == 200:
            return answer.json()
        if time.monotonic() > ends:
            break
    pytest.fail(f"not ready: {answer.text}")
