"""Counts what happened to the gateway's own processes and policy, for `/metrics`.

Rule 1: events have names of our own, so their number is bounded; nothing of a client becomes a label.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from gateway.opa.process import Report

METRIC: Final = "mcp_admission_events_total"
_NAME: Final = re.compile(r"[a-z][a-z_]{0,40}")


class Tally:
    """Passes events on to the log, and counts them."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._counts: Counter[str] = Counter()

    def __call__(self, event: str, /, **fields: object) -> None:
        """Take one event."""
        self._counts[event if _NAME.fullmatch(event) else "other"] += 1
        self._report(event, **fields)

    def over(self, render: Callable[[Sequence[bytes]], bytes]) -> Callable[[Sequence[bytes]], bytes]:
        """Return the rendering of the workers' samples with these counts after it."""
        return lambda samples: render(samples) + self.text()

    def text(self) -> bytes:
        """Return the counts as Prometheus text."""
        head = f"# HELP {METRIC} What happened to processes and policy.\n# TYPE {METRIC} counter\n"
        lines = (f'{METRIC}{{event="{name}"}} {count}\n' for name, count in sorted(self._counts.items()))
        return (head + "".join(lines)).encode()
