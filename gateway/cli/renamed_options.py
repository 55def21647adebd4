"""Renamed options: the old name is an error that names the new one."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def renamed(*old: str, new: str) -> Callable[[_Command], _Command]:
    """Reject an option's former names and show the new one."""

    def refuse(_ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"{' and '.join(param.opts)} of this command is now called {new}: {new} {value}")

    return click.option(*old, f"old_{new.strip('-')}", hidden=True, expose_value=False, callback=refuse)
