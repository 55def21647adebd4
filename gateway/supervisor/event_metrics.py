"""Count events of the gateway's own processes and policy, for `/metrics`.

Rule 1: events have names from this program, so their number is bounded. Client data never becomes a label.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from gateway.artifact.rejection import MEANINGS
from gateway.opa.process import ReportEvent

METRIC: Final = "mcp_admission_events_total"
REJECTED: Final = "mcp_admission_bundles_rejected_total"
REFUSED: Final = "mcp_admission_policy_refused"
_SAVES: Final = {"policy_refused": 1, "policy_watch_failed": 1, "policy_published": 0, "policy_restored": 0}
"""The gauge of refused saves after each event: 1 if the last save is refused."""
_NAME: Final = re.compile(r"[a-z][a-z_]{0,40}")


class EventMetrics:
    """Passes events on to the log, and counts them."""

    def __init__(self, report: ReportEvent) -> None:
        self._report = report
        self._counts: Counter[str] = Counter()
        self._codes: Counter[str] = Counter(dict.fromkeys(MEANINGS, 0))
        self._refused: int | None = None

    def __call__(self, event: str, /, **fields: object) -> None:
        """Count one event, and pass it on."""
        self._counts[event if _NAME.fullmatch(event) else "other"] += 1
        self._refused = _SAVES.get(event, self._refused)
        if event.endswith("rejected") and fields.get("code") in MEANINGS:
            self._codes[str(fields["code"])] += 1
        self._report(event, **fields)

    def over(self, render: Callable[[Sequence[bytes]], bytes]) -> Callable[[Sequence[bytes]], bytes]:
        """Return a renderer that appends these counts to the workers' samples."""
        return lambda samples: render(samples) + self.text()

    def text(self) -> bytes:
        """Return the counts as Prometheus text."""
        events = _family(METRIC, "Events of processes and policy.", "event", self._counts)
        return events + _family(REJECTED, "Rejected bundles, by code.", "code", self._codes) + self._saves()

    def _saves(self) -> bytes:
        if self._refused is None:
            return b""
        said = "1 while the policy directory as saved is refused and an earlier revision is in force."
        return f"# HELP {REFUSED} {said}\n# TYPE {REFUSED} gauge\n{REFUSED} {self._refused}\n".encode()


def _family(metric: str, text: str, label: str, counts: Counter[str]) -> bytes:
    head = f"# HELP {metric} {text}\n# TYPE {metric} counter\n"
    lines = (f'{metric}{{{label}="{name}"}} {count}\n' for name, count in sorted(counts.items()))
    return (head + "".join(lines)).encode()
