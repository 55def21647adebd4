import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway import __version__
from gateway.cli import COMMANDS, MODULES, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.exception
    assert f"mcp-admission {name}" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_the_program_names_every_command(name: str) -> None:
    assert COMMANDS[name] in " ".join(CliRunner().invoke(main, ["--help"], terminal_width=200).output.split())


def test_every_module_of_a_command_is_in_the_table(checkout: Path) -> None:
    modules = {f"gateway.cli.{path.stem}" for path in (checkout / "gateway" / "cli").iterdir() if path.stem[0] != "_"}
    named = {MODULES.get(name, f"gateway.cli.{name}") for name in COMMANDS}
    assert named <= modules


def test_the_root_loads_no_command() -> None:
    asked = "import sys, gateway.cli; print(*[name for name in sys.modules if name.startswith('gateway.')])"
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert set(ended.stdout.split()) == {"gateway.cli", "gateway.cli.lazy_commands"}


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"mcp-admission, version {__version__}\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_no_command_colors_what_it_says_where_no_color_is_wanted(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[bool | None] = []

    @click.command
    @click.pass_context
    def styled(ctx: click.Context) -> None:
        said.append(ctx.color)

    def only(_ctx: click.Context, _name: str) -> click.Command:
        return styled

    monkeypatch.setattr(main, "get_command", only)
    result = CliRunner().invoke(main, ["styled"], env={"NO_COLOR": "", "TERM": "xterm", **environ})
    assert result.exit_code == 0, result.output
    assert said == [False if environ else None], "False takes every style out; None leaves them on a terminal"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["opa", "--help"], 0), (["bundle", "inspect", __file__], 1), (["bundle", "inspect"], 2), (["opaa"], 2)],
)
def test_the_exit_codes_are_those_that_the_help_tells(words: list[str], code: int) -> None:
    assert f"\n    {code}  " in CliRunner().invoke(main, ["--help"]).output
    assert CliRunner().invoke(main, words).exit_code == code


def test_an_unknown_command_is_named() -> None:
    result = CliRunner().invoke(main, ["no-such-command"])
    assert result.exit_code == 2
    assert "No such command 'no-such-command'" in result.output
