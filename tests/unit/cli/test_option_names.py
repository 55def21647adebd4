"""An option has the same name in every command, and its former name is rejected with the new one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from gateway.cli import main


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            yield from commands(found, (*path, name))
    else:
        yield " ".join(path), command


ALL: Final = dict(commands(main))
OPTIONS: Final = [
    (name, option)
    for name, command in ALL.items()
    for option in command.params
    if isinstance(option, click.Option) and not option.hidden
]


def test_every_command_was_looked_at() -> None:
    assert {"journal tail", "explain", "ask", "replay", "agent new", "bundle build"} <= set(ALL)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("journal's directory", {"--journal"}),
        ("policy repository", {"-d", "--policy"}),
        ("below bundles/", {"-e", "--environment"}),
    ],
)
def test_options_with_the_same_meaning_have_the_same_name(words: str, names: set[str]) -> None:
    found = [(name, option.opts) for name, option in OPTIONS if words in (option.help or "").lower()]
    assert len(found) > 3
    assert [(name, opts) for name, opts in found if set(opts) != names] == []


def test_no_option_is_called_directory() -> None:
    assert [name for name, option in OPTIONS if "--directory" in option.opts] == []


@pytest.mark.parametrize(
    ("command", "new"),
    [
        *((f"journal {name}", "--journal") for name in ("tail", "show", "stats", "export")),
        *((f"agent {name}", "--policy") for name in ("new", "list", "rotate", "revoke")),
        ("ask", "--policy"),
        ("demo", "--policy"),
    ],
)
def test_an_old_name_is_refused_with_the_new_one(command: str, new: str, tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, [*command.split(), "--directory", str(tmp_path)])
    assert ran.exit_code == 2
    assert f"--directory of this command is now called {new}: {new} {tmp_path}" in ran.stderr
