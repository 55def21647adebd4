"""The README and the pages name only commands, options, make targets, settings and files that exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest

from gateway.cli import main
from gateway.settings import table
from tests.settings_page import written

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
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


def missing_files(text: str, directory: Path = ROOT) -> list[str]:
    """Return the links of a page in `directory` to a file or a heading that does not exist."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    return [link for link in links if not _exists(link, text, directory)]


def _exists(link: str, text: str, directory: Path) -> bool:
    name, _, anchor = link.partition("#")
    if not (directory / name).exists():
        return False
    whole = (directory / name).read_text(encoding="utf-8") if name else text
    return not anchor or anchor in anchors(whole)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_readme_is_one_page() -> None:
    assert len(README.splitlines()) <= 110


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_names_only_commands_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [(line, bad) for line in invocations(text, "mcp-admission") if (bad := unknown(line))] == []
    words = {word for line in invocations(text, "make") for word in line if re.fullmatch(r"[a-z0-9-]+", word)}
    assert words <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_names_only_settings_that_exist(page: Path) -> None:
    assert unknown_settings(page.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_page_links_only_to_files_and_headings_that_exist(page: Path) -> None:
    assert missing_files(page.read_text(encoding="utf-8"), page.parent) == []


def test_the_page_of_settings_has_every_setting() -> None:
    assert written((ROOT / "docs" / "settings.md").read_text(encoding="utf-8")) == table(), "run `make settings`"


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
    assert missing_files("# One two\n[a](#one-two) [b](#three) [c](README.md#no-such)") == [
        "#three",
        "README.md#no-such",
    ]


def test_the_rules_on_the_pages_are_those_that_scenarios_hold_to_their_words() -> None:
    whole = README + (ROOT / "docs" / "writing-policy.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```", whole, re.MULTILINE | re.DOTALL)
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "bundles" / "examples" / "rules").glob("*.yaml")]
    assert len(shown) == 2
    assert all(any(rule in text for text in files) for rule in shown)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a document."""
    return {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
