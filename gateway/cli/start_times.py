"""The time from which records count, as given on the command line."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Since(click.ParamType[int]):
    """A time: `15m`, `2h`, `1d` ago, or a date and time (UTC if it has no zone)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return nanoseconds since 1970."""
        if isinstance(value, int):
            return value
        ago = re.fullmatch(r"(\d+)([smhdw])", str(value))
        if ago:
            moment = datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        else:
            moment = self._read(str(value), param, ctx)
        return int(moment.timestamp()) * 1_000_000_000

    def _read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is not a valid time: write 15m, 2h, 1d, 2026-11-20 or 2026-11-20T14:00:00Z.", param, ctx
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
