"""The options of `journal` that select records."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gateway.cli.start_times import Since
from gateway.journal.query import Filter

_Command = TypeVar("_Command", bound=Callable[..., Any])


def filters(function: _Command) -> _Command:
    """Add the options that select records."""
    outcomes = click.Choice(["allow", "hold", "deny", "refused"])
    for option in (
        click.option("--since", type=Since(), default=0, help="15m, 2h, 1d, or a date and time in UTC."),
        click.option("--trace", default="", help="Trace id that the caller sent (`traceparent`, not verified)."),
        click.option("--conversation", default="", help="Conversation that the caller sent (not verified)."),
        click.option("--rule", default="", help="Rule or requirement that allowed or refused the call."),
        click.option("--outcome", type=outcomes, default=None, help="Outcome of the decision."),
        click.option("--tool", default="", help="Tool, prompt or resource URI."),
        click.option("--server", default="", help="Id of the server in the catalog."),
        click.option(
            "--principal", default="", help="Subject, issuer#subject, client id, or the beginning of a token's SHA-256."
        ),
        click.option("--agent", default="", help="Id of the registered agent."),
    ):
        function = option(function)
    return function


def chosen(options: dict[str, Any]) -> Filter:
    """Return the filter that the options describe."""
    return Filter(
        agent=options["agent"],
        server=options["server"],
        tool=options["tool"],
        outcome=options["outcome"] or "",
        rule=options["rule"],
        principal=options["principal"],
        conversation=options["conversation"],
        trace=options["trace"],
        since_ns=options["since"],
    )
