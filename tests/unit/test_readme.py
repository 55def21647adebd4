"""The README says nothing that is not there: commands, options, make targets, settings, files."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from gateway.cli import main
from gateway.settings import table

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS: Final = frozenset(re.findall(r"^\| `([^`]+)` \|", table(), re.MULTILINE))
TARGETS: Final = frozenset(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def code(text: str) -> Iterator[str]:
    """Every line of the fenced blocks and every inline piece of code."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from re.sub(r"\\\n\s*", "", block).splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def invocations(text: str, program: str) -> list[list[str]]:
    """The arguments of every invocation of a program in the code of a text."""
    lines = (line.strip().removeprefix("$ ") for line in code(text))
    return [shlex.split(line, comments=True)[1:] for line in lines if re.match(rf"{program}(\s|$)", line)]


def unknown(arguments: list[str]) -> list[str]:
    """The commands and options among the arguments of `mcp-admission` that do not exist."""
    command: click.Command = main
    context = click.Context(command)
    words = iter(arguments)
    for word in words:
        if word.startswith("-"):
            if word.split("=")[0] not in known_options(command, context):
                return [word]
            if "=" not in word and takes_value(word, command, context):
                next(words, None)
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z-]+", word):
            found = command.get_command(context, word)
            if found is None:
                return [word]
            command, context = found, click.Context(found)
    return []


def known_options(command: click.Command, context: click.Context) -> set[str]:
    return {
        option for parameter in command.get_params(context) for option in (*parameter.opts, *parameter.secondary_opts)
    }


def takes_value(word: str, command: click.Command, context: click.Context) -> bool:
    options = [each for each in command.get_params(context) if isinstance(each, click.Option) and word in each.opts]
    return any(not option.is_flag and not option.count for option in options)


def unknown_settings(text: str) -> set[str]:
    """The rows of a settings table that name no setting."""
    sections = re.findall(r"^\| setting .*?\n\n", text + "\n\n", re.MULTILINE | re.DOTALL)
    named = {name for section in sections for name in re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)}
    variables = set(re.findall(r"\bMCP_ADMISSION_[A-Z_]+[A-Z]\b", text)) - {
        "MCP_ADMISSION_TOOLS",
        "MCP_ADMISSION_CONFIG",
    }
    known = {f"MCP_ADMISSION_{name.replace('.', '_').upper()}" for name in SETTINGS}
    return (named - SETTINGS) | (variables - known)


def missing_files(text: str) -> list[str]:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    return [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_the_readme_fits_in_two_hundred_lines() -> None:
    assert len(README.splitlines()) < 200


def test_every_command_and_option_of_the_readme_exists() -> None:
    assert [(line, bad) for line in invocations(README, "mcp-admission") if (bad := unknown(line))] == []


def test_every_make_target_of_the_readme_exists() -> None:
    named = {word for line in invocations(README, "make") for word in line if re.fullmatch(r"[a-z0-9-]+", word)}
    assert named <= TARGETS


def test_every_setting_of_the_readme_exists() -> None:
    assert unknown_settings(README) == set()


def test_every_file_that_the_readme_links_to_exists() -> None:
    assert missing_files(README) == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_every_file_that_a_document_at_the_top_links_to_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert missing_files(text) == []
    assert set(re.findall(r"README\.md#([\w-]+)", text)) <= anchors(README)


@pytest.mark.parametrize(
    "line",
    [
        "no-such-command",
        "opa --no-such-option",
        "agent no-such-command",
        "agent new x --ownr a",
        "stop --agent bot lft",
    ],
)
def test_an_unknown_word_is_seen(line: str) -> None:
    (arguments,) = invocations(f"```\n$ mcp-admission {line}  # a comment\n```\n", "mcp-admission")
    assert unknown(arguments)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "opa",
        "agent new x --owner a --kind claude-code",
        "serve --config=f --workers 2",
        "stop --agent bot --for 4h --because flood --hub https://hub.example.com",
        "stop lift x --because mended --config settings.yaml",
    ],
)
def test_a_known_word_is_not(line: str) -> None:
    assert unknown(shlex.split(line)) == []


def test_inline_code_and_continued_lines_are_read() -> None:
    text = "Run `mcp-admission opa`.\n\n```sh\nmcp-admission ask \\\n  --agent x\n```\n"
    assert invocations(text, "mcp-admission") == [["ask", "--agent", "x"], ["opa"]]


def test_an_unknown_setting_or_file_is_seen() -> None:
    assert unknown_settings("| setting | x |\n|---|---|\n| `workers` | 1 |\n| `wrkers` | 1 |\n") == {"wrkers"}
    assert unknown_settings("set MCP_ADMISSION_WRKERS=2") == {"MCP_ADMISSION_WRKERS"}
    assert missing_files("[a](no/such.md) [b](LICENSE) [c](https://example.com/x)") == ["no/such.md"]


def test_the_rules_of_the_readme_are_those_that_scenarios_hold_to_their_words() -> None:
    shown = re.findall(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "bundles" / "examples" / "rules").glob("*.yaml")]
    assert len(shown) == 2
    assert all(any(rule in text for text in files) for rule in shown)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a document."""
    return {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
