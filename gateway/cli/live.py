"""One line for one decision, for people who watch: time, agent, server, target, action, outcome, why, microseconds.

And one for each thing that happens to the policy.

Rule 1: what clients and servers chose cannot move the cursor, change colors or hide text: it is escaped first.
Rule 2: color only where a terminal shows it and NO_COLOR is not set; a line without color has the same words.
"""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import click

from gateway.journal.follow import follow as added_to
from gateway.journal.query import SHOWN, agent_of, outcome_of, target_of

_NS: Final = 1_000_000_000
_COLORS: Final = {"allow": "green", "deny": "red", "hold": "yellow", "refused": "magenta", "observe": "yellow"}
_WIDTHS: Final = {"agent": 18, "server": 14, "target": 26, "action": 7, "outcome": 7}
_WHY: Final = 100
_EVENT: Final = 34
_TOLD: Final = 180
_EVENTS: Final = {
    "rejected": "red",
    "emergency_rejected": "red",
    "stale": "red",
    "expired": "red",
    "stopped": "red",
    "stops_unreadable": "red",
    "expires_soon": "yellow",
    "stale_soon": "yellow",
    "hub_unreachable": "yellow",
    "heartbeat_refused": "red",
    "followed": "green",
    "lifted": "green",
}
"""Colors of what happens to the policy; the rest is cyan."""


def colored(stream: IO[str]) -> bool:
    """Return whether color belongs on this stream (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def escaped(text: str) -> str:
    """Return a text in which every character that does not print is written as its escape."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def line(record: Mapping[str, Any], *, color: bool, date: bool = False) -> str:
    """Return the line of a record that is shown; times are local, with `date` they are whole and UTC."""
    if record.get("kind") == "policy":
        return f"{when(record, date=date)}  {_of_policy(record, color=color)}"
    outcome = outcome_of({**record})
    hue = "observe" if _observed(record) else outcome
    cells = {
        "agent": agent_of({**record}) or _nobody(record),
        "server": str(record.get("server", "")) or "-",
        "target": target_of({**record}) or str(record.get("method", "")) or "-",
        "action": str(record.get("action", "")) or "-",
        "outcome": outcome,
    }
    shown = {name: _cell(cells[name], width) for name, width in _WIDTHS.items()}
    shown["outcome"] = click.style(shown["outcome"], fg=_COLORS.get(hue), bold=True) if color else shown["outcome"]
    micros = record.get("micros") or record.get("policy_micros") or 0
    return f"{when(record, date=date)}  {'  '.join(shown.values())}  {_cut(why(record), _WHY)}  {micros:,} µs"


def header(*, date: bool) -> str:
    """Return the heading above such lines."""
    names = "  ".join(f"{name.upper():{width}}" for name, width in _WIDTHS.items())
    return f"{'TIME (UTC)' if date else 'TIME':{24 if date else 12}}  {names}  WHY"


def when(record: Mapping[str, Any], *, date: bool) -> str:
    """Return when a record was made."""
    instant = datetime.fromtimestamp(record.get("unix_ns", record.get("at", 0)) / _NS, UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z" if date else f"{instant.astimezone():%H:%M:%S.%f}"[:-3]


def why(record: Mapping[str, Any]) -> str:
    """Return the rule or the reason, in a few words."""
    reasons = record.get("reasons") or ()
    if record.get("kind") == "refused":
        return _joined(record.get("code"), record.get("detail"))
    if _observed(record):
        first = record["shadow"][0]
        return "observed; would be refused: " + _joined(first.get("requirement"), first.get("message"))
    if reasons:
        rule = record.get("rule", "")
        name = rule if rule and reasons[0].get("requirement") == "rules_permit" else reasons[0].get("requirement")
        return _joined(name, reasons[0].get("message"))
    return str(record.get("rule") or record.get("code") or "")


async def follow(directory: Path, write: Callable[[str], None], *, color: bool | None = None) -> None:
    """Write a line for each decision from now on, until cancelled; the directory may not be there yet.

    Without a word on `color` it is what standard output wants.
    """
    color = colored(sys.stdout) if color is None else color
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # noqa: ASYNC240 - once, before anything is watched
    async for records in added_to(directory):
        for record in records:
            if record["kind"] in SHOWN:
                write(line(record, color=color))


def _of_policy(record: Mapping[str, Any], *, color: bool) -> str:
    """What happened to the policy: the event, then code, revision and detail as they were told."""
    event = str(record.get("event", ""))
    hue = _EVENTS.get(event, "cyan")
    shown = _cell(f"policy {event.replace('_', ' ')}", _EVENT)
    told = [str(record[name]) for name in ("code", "revision", "detail") if record.get(name)]
    return f"{click.style(shown, fg=hue, bold=True) if color else shown}  {_cut(' '.join(told), _TOLD)}".rstrip()


def _observed(record: Mapping[str, Any]) -> bool:
    return bool(record.get("observe") and record.get("shadow") and record.get("outcome") == "allow")


def _nobody(record: Mapping[str, Any]) -> str:
    principal: Mapping[str, Any] = record.get("principal") or {}
    return f"({principal.get('kind') or record.get('source_ip') or 'nobody'})"


def _joined(name: object, message: object) -> str:
    return ": ".join(str(part) for part in (name, message) if part)


def _cut(text: str, width: int) -> str:
    text = escaped(text[: width + 1])
    return text if len(text) <= width else text[: width - 1] + "…"


def _cell(text: str, width: int) -> str:
    return f"{_cut(text, width):{width}}"
