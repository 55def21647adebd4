"""Groups of commands whose modules are loaded only when one of their commands is used.

Rule 1: a table lists the commands and their lines in `--help`; no command pays for another's imports.
Rule 2: a module that fails to load is an error of this program and is shown as one, never hidden.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """The commands of `table` (name -> help line); each is the `command` of the module of that name in `package`."""

    def __init__(
        self, *, package: str, table: Mapping[str, str], modules: Mapping[str, str] | None = None, **attributes: Any
    ) -> None:
        super().__init__(**attributes)
        self._package = package
        self._table = table
        self._modules = modules or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self._table:
            return None
        module = import_module(self._modules.get(cmd_name, f"{self._package}.{cmd_name}"))
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self._table.items()))
