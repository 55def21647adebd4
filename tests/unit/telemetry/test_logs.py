"""Log lines are valid JSON without secrets."""

import io
import json
import logging
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry import configure
from gateway.telemetry.logs import JsonLines

TOKEN = "mcpa_" + "a" * 48


@pytest.fixture
def stream() -> Generator[io.StringIO]:
    root, wanted = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure("info", request_id=lambda: "abc-1", stream=wanted)
    yield wanted
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_where_and_what(stream: io.StringIO) -> None:
    logging.getLogger("gateway.x").warning("it is %s", "late", extra={"seconds": 3})
    (line,) = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "gateway.x",
        "message": "it is late",
        "request_id": "abc-1",
        "seconds": 3,
    }


def test_the_colored_copy_of_a_message_is_left_out(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[36mStarted"})
    assert set(lines(stream)[0]) == {"time", "level", "logger", "message", "request_id"}


def test_less_than_the_level_is_not_written(stream: io.StringIO) -> None:
    logging.getLogger("gateway.x").debug("nothing")
    logging.getLogger("httpx").info("GET https://idp.example/keys")
    assert lines(stream) == []


def test_credentials_are_masked_wherever_they_are(stream: io.StringIO) -> None:
    log = logging.getLogger("gateway.x")
    log.warning(
        "sent Bearer %s",
        TOKEN,
        extra={"authorization": "x1y2z3", "note": f"token {TOKEN}", "deep": [{"password": "p4ssw0rd"}]},
    )
    try:
        int(f"refused {TOKEN}")
    except ValueError:
        log.exception("it failed")
    written = stream.getvalue()
    assert all(secret not in written for secret in (TOKEN, "x1y2z3", "p4ssw0rd"))
    assert "ValueError" in lines(stream)[1]["exception"]


def test_an_extra_cannot_stand_for_what_the_line_says_itself(stream: io.StringIO) -> None:
    logging.getLogger("gateway.x").warning("one", extra={"level": "info", "time": "never", "request_id": "other"})
    (line,) = lines(stream)
    assert (line["level"], line["request_id"]) == ("warning", "abc-1")


def test_a_line_break_stays_in_its_line(stream: io.StringIO) -> None:
    logging.getLogger("gateway.x").warning("one\ntwo")
    assert lines(stream)[0]["message"] == "one\ntwo"


TEXT = st.text(st.characters())
VALUES = st.none() | TEXT | st.integers() | st.floats() | st.binary() | st.lists(TEXT) | st.builds(object)


@given(TEXT, VALUES, VALUES)
def test_any_line_is_valid_json(message: str, argument: object, extra: object) -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, message, (argument,), None)
    record.extra = extra
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["logger"] == "x"
