"""One line per decision, for people who watch: time, id, agent, server, target, action, outcome, why, duration.

The journal also has a line for each event of the policy. A running gateway reports those events itself.

Rule 1: text chosen by clients and servers is escaped, so it cannot move the cursor, change colors or hide text.
Rule 2: color is used only if a terminal shows it and NO_COLOR is not set. A line without color has the same words.
Rule 3: a line fits 120 columns, or the terminal if that is wider. Longer lines are cut and marked. `journal show` and
`explain` accept the id.
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import click

from gateway.admission.record import unix_ns_of
from gateway.cli.text_width import columns, cut, padded
from gateway.journal.follow import follow as added_to
from gateway.journal.query import JUDGED, agent_of, outcome_of, rule_of, target_of

_NS: Final = 1_000_000_000
_MS: Final = 1_000
_COLORS: Final = {"allow": "green", "deny": "red", "hold": "yellow", "refused": "magenta", "observe": "yellow"}
_WIDTHS: Final = {"id": 8, "agent": 12, "server": 10, "target": 16, "action": 7, "outcome": 7}
WIDTH: Final = 120
_EVENT: Final = 26
_EVENTS: Final = {
    "rejected": "red",
    "emergency_rejected": "red",
    "stale": "red",
    "expired": "red",
    "stopped": "red",
    "stops_unreadable": "red",
    "expires_soon": "yellow",
    "stale_soon": "yellow",
    "library_outdated": "yellow",
    "hub_unreachable": "yellow",
    "heartbeat_refused": "red",
    "scenarios_failed": "yellow",
    "scenarios_not_run": "yellow",
    "scenarios_passed": "green",
    "followed": "green",
    "lifted": "green",
}
"""Colors of policy events; all others are cyan."""


def colored(stream: IO[str]) -> bool:
    """Return whether to use color on this stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def escaped(text: str) -> str:
    """Return a text in which every unprintable character is replaced by its escape."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def width_of(stream: IO[str]) -> int:
    """Return the number of columns of a line on this stream, at least 120; 0 if it is not a terminal."""
    return max(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if stream.isatty() else 0


def line(record: Mapping[str, Any], *, color: bool, date: bool = False, width: int = WIDTH, ended: str = "") -> str:
    """Return the line of a record, with the local time and the duration.

    With `date`, the time is complete and in UTC, and the line ends with the result of the call.
    """
    start, width = when(record, date=date), width or WIDTH
    if record.get("kind") == "policy":
        return f"{start}  {_of_policy(record, width - columns(start) - 2, color=color)}"
    outcome = outcome_of({**record})
    hue = "observe" if _observed(record) else outcome
    cells = {
        "id": short_id(record),
        "agent": agent_of({**record}) or _nobody(record),
        "server": str(record.get("server", "")) or "-",
        "target": target_of({**record}) or str(record.get("method", "")) or "-",
        "action": str(record.get("action", "")) or "-",
        "outcome": outcome,
    }
    shown = {name: _cell(cells[name], wide) for name, wide in _WIDTHS.items()}
    told = cut(escaped(ended), 13) if date else duration(record)
    end = f"  {told}" if told else ""
    left = width - columns("  ".join((start, *shown.values(), ""))) - columns(end)
    shown["outcome"] = click.style(shown["outcome"], fg=_COLORS.get(hue), bold=True) if color else shown["outcome"]
    return f"{'  '.join((start, *shown.values()))}  {_cut(why(record), left)}{end}".rstrip()


def header(*, date: bool) -> str:
    """Return the heading of such lines."""
    names = "  ".join(f"{name.upper():{width}}" for name, width in _WIDTHS.items())
    return f"{'TIME (UTC)' if date else 'TIME':{20 if date else 8}}  {names}  WHY"


def short_id(record: Mapping[str, Any]) -> str:
    """Return the first digits of the decision's id, or of the call's id if there was none."""
    return str(record.get("decision_id") or record.get("call_id") or "-")[: _WIDTHS["id"]]


def duration(record: Mapping[str, Any]) -> str:
    """Return the time that the gateway took, in at most nine characters."""
    micros = int(record.get("micros") or record.get("policy_micros") or 0)
    if micros < _MS * 100:
        return f"{micros:,} µs"
    return f"{micros / _MS:,.0f} ms" if micros < _MS * 100_000 else f"{micros / _MS / 1000:,.0f} s"


def when(record: Mapping[str, Any], *, date: bool) -> str:
    """Return the time of a record."""
    instant = datetime.fromtimestamp(_unix_ns(record) / _NS, UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}Z" if date else f"{instant.astimezone():%H:%M:%S}"


def _unix_ns(record: Mapping[str, Any]) -> int:
    """Return the time of a record, or the time of its commit if the record has none."""
    if "unix_ns" in record:
        return int(record["unix_ns"])
    try:
        return unix_ns_of(str(record.get("time", "")))
    except ValueError:
        return int(record.get("at", 0))


def why(record: Mapping[str, Any]) -> str:
    """Return the rule or the reason, in a few words."""
    reasons = record.get("reasons") or ()
    if record.get("kind") == "refused":
        return _joined(record.get("code"), record.get("detail"))
    if _observed(record):
        first = record["shadow"][0]
        return "observed; would be refused: " + _joined(first.get("requirement"), first.get("message"))
    if reasons:
        rule = rule_of({**record})
        name = rule if rule and reasons[0].get("requirement") == "rules_permit" else reasons[0].get("requirement")
        return _joined(name, reasons[0].get("message"))
    return rule_of({**record}) or str(record.get("code") or "")


async def follow(directory: Path, write: Callable[[str], None], *, color: bool | None = None) -> None:
    """Write a line for each new decision until canceled; the directory need not exist yet.

    Without `color`, standard output decides.
    """
    color = colored(sys.stdout) if color is None else color
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before anything is watched
    async for records in added_to(directory):
        for record in records:
            if record["kind"] in JUDGED:
                write(line(record, color=color))


def _of_policy(record: Mapping[str, Any], width: int, *, color: bool) -> str:
    """Return a policy event with its code, revision and detail."""
    event = str(record.get("event", ""))
    hue = _EVENTS.get(event, "cyan")
    shown = _cell(f"policy {event.replace('_', ' ')}", _EVENT)
    told = [str(record[name]) for name in ("code", "revision", "detail") if record.get(name)]
    end = _cut(" ".join(told), width - columns(shown) - 2)
    return f"{click.style(shown, fg=hue, bold=True) if color else shown}  {end}".rstrip()


def _observed(record: Mapping[str, Any]) -> bool:
    return bool(record.get("observe") and record.get("shadow") and record.get("outcome") == "allow")


def _nobody(record: Mapping[str, Any]) -> str:
    principal: Mapping[str, Any] = record.get("principal") or {}
    return f"({principal.get('kind') or record.get('source_ip') or 'nobody'})"


def _joined(name: object, message: object) -> str:
    return ": ".join(str(part) for part in (name, message) if part)


def _cut(text: str, width: int) -> str:
    return cut(escaped(text[: width + 1]), width)


def _cell(text: str, width: int) -> str:
    return padded(_cut(text, width), width)
