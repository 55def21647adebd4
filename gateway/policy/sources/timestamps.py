"""Parse the times of policy data: RFC 3339, or a date, which means the end of that day.

Rule 1: one function parses every expiry. The build stores and compares full times only.
Rule 2: the end of a day is its last second in the environment's time zone; if clocks are set back, the later one.
Rule 3: the time of a scenario (`at`) is not an expiry, so a date is not accepted there.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec.structs import replace

from gateway.artifact.json_narrowing import is_array, is_object
from gateway.policy.sources.document import Document

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LAST: Final = time(23, 59, 59, fold=1)
_EACH: Final = "*"
_ENDS: Final[Mapping[str, Sequence[tuple[str, ...]]]] = {
    "environment": [("observe", "expires")],
    "rules": [("rules", _EACH, "expires")],
    "agents": [
        ("expires",),
        ("tokens", _EACH, "expires"),
        ("agents", _EACH, "expires"),
        ("agents", _EACH, "tokens", _EACH, "expires"),
    ],
    "enforcement": [("enforcement", _EACH, "expires")],
}
"""Kind of document -> the paths of its expiry times."""


def unix_seconds(text: str) -> float:
    """Return a full RFC 3339 time as Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


def end(text: str, zone: str) -> datetime | None:
    """Return the expiry that a text names, with a date in this time zone; None if it does not name a time."""
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(datetime.fromisoformat(text).date(), _LAST, _zone(zone))
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def with_full_ends(document: Document, kind: str, zone: str) -> Document:
    """Return a document whose expiry times are full times; the same document if none is a date."""
    value = document.value
    for path in _ENDS.get(kind, ()):
        value = _written(value, path, zone)
    return document if value is document.value else replace(document, value=value)


def _written(value: Any, path: Sequence[str], zone: str) -> Any:
    """Return a value whose expiry times at a path are full times; the same object if nothing changes."""
    if not path:
        moment = end(value, zone) if isinstance(value, str) and _DATE.fullmatch(value) else None
        return value if moment is None else moment.isoformat()
    if path[0] == _EACH and is_array(value):
        items = [_written(each, path[1:], zone) for each in value]
        return items if any(map(_differ, items, value)) else value
    if not is_object(value):
        return value
    keys = value if path[0] == _EACH else [path[0]] if path[0] in value else []
    changed = {key: _written(value[key], path[1:], zone) for key in keys}
    return {**value, **changed} if any(changed[key] is not value[key] for key in changed) else value


def _differ(one: object, other: object) -> bool:
    return one is not other


def _zone(name: str) -> tzinfo:
    """Return a time zone; UTC for an unknown name, which is reported separately."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
