"""The commands at the end of a banner exist, with the options that they use."""

import shlex
import sys
from pathlib import Path

import click
import pytest

from gateway.cli import main
from gateway.cli.next_steps import ExampleCall, next_steps, plain
from gateway.settings import Settings, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "my policies").mkdir()
    found = load(None, {"MCP_ADMISSION_POLICY_DIRECTORY": str(tmp_path / "my policies")})
    assert isinstance(found, Settings)
    return found


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.startswith("    ")]


def parsed(words: list[str]) -> str:
    """Return the name of a command whose options are those of these words."""
    command: click.Command = main
    context = click.Context(main)
    path: list[str] = []
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words
        path.append(words.pop(0))
        command = found
    command.make_context(path[-1], words)
    return " ".join(path)


def test_each_command_is_one_that_there_is(settings: Settings) -> None:
    example = ExampleCall(rules=Path("rules/demo.yaml"), agent="dev", server="demo", tool="delete_file")
    text = next_steps(settings, example)
    assert [parsed(words[1:]) for words in commands(text)] == ["journal show", "explain", "journal stats", "ask"]
    assert "Edit rules/demo.yaml and save it" in text
    assert str(settings.journal.directory) in text


def test_without_a_tool_of_a_plain_name_nothing_is_asked(settings: Settings) -> None:
    tool = plain(["--rm", "a\x1b[2Jb", "two words", "ä"])
    assert tool == ""
    text = next_steps(settings, ExampleCall(rules=Path("r.yaml"), agent="dev", server="s", tool=tool))
    assert [parsed(words[1:]) for words in commands(text)] == ["journal show", "explain", "journal stats"]
    assert plain(["--rm", "read-note", "x"]) == "read-note"


@pytest.mark.parametrize(
    ("started", "on_path", "shown"),
    [
        (".venv/bin/mcp-admission", "", ".venv/bin/mcp-admission"),
        ("/usr/bin/mcp-admission", "/usr/bin/mcp-admission", "mcp-admission"),
        ("/a/mcp-admission", "/b/mcp-admission", "/a/mcp-admission"),
        ("/x/__main__.py", "", "mcp-admission"),
    ],
)
def test_the_program_is_named_as_it_can_be_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, started: str, on_path: str, shown: str
) -> None:
    def which(_name: str) -> str | None:
        return on_path or None

    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setattr("shutil.which", which)
    text = next_steps(settings, ExampleCall(rules=Path("r.yaml"), agent="dev", server="s", tool="t"))
    assert {words[0] for words in commands(text)} == {shown}
