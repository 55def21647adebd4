"""Times on the command line: a duration from now, a date, a time, or `never`.

Rule 1: a time without a zone is UTC, a date means the end of that day, and a time in the past is rejected.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from gateway.policy.sources.timestamps import end

_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([hd])")


def moment(text: str, now: datetime) -> datetime | None:
    """Return a duration from now (36h, 90d), the end of a date, or a time, in UTC; None for `never`.

    Raise ValueError for any other text.
    """
    if text == "never":
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return now + timedelta(**{"hours" if span[2] == "h" else "days": int(span[1])})
    found = end(text, "UTC")
    if found is None:
        raise ValueError(text)
    return found


def when(ctx: click.Context, param: click.Parameter, value: str) -> datetime | None:
    """Convert an option's value to a time in the future; the error shows the accepted forms."""
    now = datetime.now(UTC)
    try:
        found = moment(value, now)
    except ValueError as error:
        wanted = "36h, 90d, 2027-01-01, 2027-01-01T00:00:00Z or never"
        raise click.BadParameter(f"`{value}` is not a valid time: write {wanted}.", ctx, param) from error
    if found is not None and found <= now:
        raise click.BadParameter(f"`{value}` is in the past: give a later time.", ctx, param)
    return found
