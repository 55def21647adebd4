"""Write docs/log-events.md from the table of log events: `make log-events`."""

from pathlib import Path
from typing import Final

from gateway.telemetry.log_events import GATEWAY, HUB

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "log-events.md"
_HEAD: Final = """# Log events

Each event is one JSON line on stderr: `message` has its name, `fields` its values. A `warning` needs someone to act.
Events that begin with `policy_` are also records of the journal (`kind: policy`), without the prefix. For the stops of
a hub they begin with `policy_emergency_`. The metric `mcp_admission_events_total` counts the events of the gateway in
its label `event`. A line `log` comes from a library of a worker and has its own level.
"""


def page() -> str:
    """Return the text of the page."""
    text = _HEAD
    for program, events in (("mcp-admission serve", GATEWAY), ("mcp-admission hub serve", HUB)):
        rows = "".join(f"| `{name}` | {event.level} | {event.meaning} |\n" for name, event in sorted(events.items()))
        text += f"\n## `{program}`\n\n| event | level | meaning |\n|---|---|---|\n{rows}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
