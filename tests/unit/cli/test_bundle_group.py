"""The commands of `bundle` are loaded one at a time, and each explains itself."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.bundle import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = CliRunner().invoke(main, ["bundle", name, "--help"])
    assert result.exit_code == 0, result.exception
    assert f"mcp-admission bundle {name}" in result.output


def test_the_help_of_the_group_names_them_all() -> None:
    told = " ".join(CliRunner().invoke(main, ["bundle", "--help"], terminal_width=200).output.split())
    assert all(sentence in told for sentence in COMMANDS.values())


def test_the_group_loads_none_of_them() -> None:
    asked = "import sys, gateway.cli.bundle; print(*[name for name in sys.modules if name.startswith('gateway.cli.b')])"
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["gateway.cli.bundle"]


def test_an_unknown_command_is_named() -> None:
    result = CliRunner().invoke(main, ["bundle", "no-such-command"])
    assert result.exit_code == 2
    assert "No such command 'no-such-command'" in result.output
