"""Structured logs: one JSON object a line on stderr.

Rule 1: no secret is written: values under revealing keys and texts that look like credentials are masked, also in
tracebacks.
Rule 2: a line is always written whole and valid, for any input.
"""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import orjson

from gateway.admission.redaction import scrubbed, without_secrets

Level = Literal["debug", "info", "warning", "error"]

_STANDARD: Final = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}
_REPEATED: Final = frozenset({"color_message"})
"""Extra field in which uvicorn repeats its message for terminals."""
_QUIET: Final = ("httpx", "httpcore", "uvicorn.access")
"""Libraries that log every request, with its address."""


class JsonLines(logging.Formatter):
    """Formatter of records; `request_id` returns the id of the request that the running task belongs to."""

    def __init__(self, request_id: Callable[[], str] = str) -> None:
        super().__init__()
        self._request_id = request_id

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _shown(_message(record)),
        }
        if request_id := self._request_id():
            line["request_id"] = request_id
        line |= {name: value for name, value in _extra(record).items() if name not in line}
        if record.exc_info:
            line["exception"] = _shown(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(level: Level, *, request_id: Callable[[], str] = str, stream: TextIO | None = None) -> None:
    """Send every logger's lines to stderr as JSON, and replace the earlier configuration."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(request_id))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"


def _shown(text: str) -> str:
    """Return the text without secrets, and without unpaired surrogates, which JSON does not allow."""
    return scrubbed(text.encode("utf-8", "replace").decode())


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """Return the extra fields of the record as JSON, without secrets."""
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD | _REPEATED}
    if not given:
        return {}
    try:
        plain: Any = orjson.loads(orjson.dumps(given, default=str, option=orjson.OPT_NON_STR_KEYS))
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        plain = {name: _shown(repr(value)) for name, value in given.items()}
    return without_secrets(plain, [])
