"""The line of a decision: complete, and harmless to the terminal that shows it."""

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.record import Policy
from gateway.cli.live_decisions import colored, duration, escaped, follow, line, short_id, why
from gateway.cli.text_width import columns, cut
from gateway.journal.journal_options import JournalOptions
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import a_completed, a_decided

RECORD: dict[str, Any] = {
    "kind": "decided",
    "at": 1,
    "writer": "w",
    "sequence": 1,
    "unix_ns": 1_795_183_200_123_000_000,
    "outcome": "allow",
    "decision_id": "d1d1d1d1-58f1-4c3e",
    "agent": {"id": "support-bot"},
    "server": "slack",
    "target": {"type": "tool", "name": "post_message", "uri": None},
    "action": "send",
    "rule": "support-posts",
    "micros": 1812,
}
DENIED = RECORD | {
    "outcome": "deny",
    "rule": "",
    "reasons": [{"requirement": "recipients_are_known", "message": "bob is not known"}],
}
POLICY: dict[str, Any] = {
    "kind": "policy",
    "at": 1,
    "writer": "w",
    "sequence": 2,
    "unix_ns": 1_795_183_200_123_000_000,
    "event": "rejected",
    "code": "bundle_unsigned",
    "detail": "it has no signature",
}
STYLES = re.compile(r"\x1b\[\d+m")
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def test_a_line_says_who_did_what_where_with_which_outcome_and_why() -> None:
    words = line(RECORD, color=False).split()
    assert words[1:] == [
        *("d1d1d1d1", "support-bot", "slack", "post_message", "send", "allow", "support-posts"),
        *("1,812", "µs"),
    ]
    dated = line(RECORD, color=False, date=True, ended="answered").split()
    assert (dated[0], dated[-2:]) == ("2026-11-20T14:00:00Z", ["support-posts", "answered"])


def test_a_refusal_without_a_decision_has_the_id_of_its_call() -> None:
    assert short_id({"kind": "refused", "call_id": "0123456789"}) == "01234567"
    assert short_id({"kind": "refused"}) == "-"


WIDE = st.text(st.characters(codec="utf-8"), max_size=200) | st.text("漢字テストＡ\u0301x", max_size=200)


@given(long=WIDE, micros=st.integers(0, 10**12), width=st.integers(120, 200), date=st.booleans())
def test_a_line_fits_its_width_whatever_it_shows(long: str, micros: int, width: int, date: bool) -> None:
    record = RECORD | {
        "agent": {"id": long},
        "server": long,
        "target": {"uri": long},
        "action": long,
        "decision_id": long,
        "rule": long,
        "micros": micros,
    }
    for each in (record, record | {"kind": "refused", "detail": long}, POLICY | {"detail": long, "event": long}):
        assert columns(line(each, color=False, date=date, width=width, ended=long)) <= width
    assert columns(line(record, color=False)) <= 120


def test_a_cut_text_is_marked() -> None:
    shown = line(RECORD | {"server": "a-server-with-a-long-name", "rule": "r" * 100}, color=False)
    assert "a-server-…  " in shown
    assert "rrr…  1,812 µs" in shown


def test_letters_of_two_columns_count_twice() -> None:
    assert [columns("漢字"), columns("e\u0301"), columns("abc")] == [4, 1, 3]
    assert [cut("漢字漢字", 5), cut("abc", 3), cut("abcd", 3), cut("abc", 0)] == ["漢字…", "abc", "ab…", ""]


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0 µs"), (99_999, "99,999 µs"), (100_000, "100 ms"), (10**8, "100 s")]
)
def test_a_duration_is_short(micros: int, text: str) -> None:
    assert duration({"micros": micros}) == text


def test_a_refusal_names_the_requirement_and_its_words() -> None:
    assert "deny     recipients_are_known: bob is not known" in line(DENIED, color=False, width=160)


def test_a_refusal_by_a_rule_names_the_rule() -> None:
    by_rule = RECORD | {"reasons": [{"requirement": "rules_permit", "message": "not in Slack"}], "rule": "no-writes"}
    assert why(by_rule) == "no-writes: not in Slack"


def test_an_observed_call_says_what_would_have_been_refused() -> None:
    observed = RECORD | {"observe": True, "shadow": [{"requirement": "rules_permit", "message": "no rule"}]}
    assert why(observed) == "observed; would be refused: rules_permit: no rule"


def test_a_refusal_without_a_decision_has_a_line_too() -> None:
    refused = {"kind": "refused", "at": 1, "code": "malformed", "detail": "not JSON", "source_ip": "192.0.2.7"}
    text = line(refused, color=False)
    assert "(192.0.2.7)" in text
    assert "refused" in text
    assert "malformed: not JSON" in text


def test_color_adds_nothing_but_color() -> None:
    assert "\x1b[31m" in line(DENIED, color=True)
    assert STYLES.sub("", line(DENIED, color=True)) == line(DENIED, color=False)


@given(evil=ANY_TEXT, color=st.booleans())
def test_text_from_clients_and_servers_cannot_control_the_terminal(evil: str, color: bool) -> None:
    record = RECORD | {
        "agent": {"id": evil},
        "server": evil,
        "target": {"name": evil},
        "action": evil,
        "rule": evil,
        "reasons": [{"requirement": evil, "message": evil}],
    }
    for shown in (line(record, color=color), line(record | {"kind": "refused", "detail": evil}, color=color)):
        assert STYLES.sub("", shown).isprintable()


@pytest.mark.parametrize("evil", ["\x1b[2J", "\r\n", "\x9b31m", "\u202e", "\x07", "\x1b]0;title\x07", "\u2028"])
def test_controls_are_shown_as_their_escapes(evil: str) -> None:
    assert escaped(f"a{evil}b").isprintable()
    assert escaped(f"a{evil}b").startswith("a\\")


def test_color_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colored(Terminal())
    assert not colored(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colored(Terminal())


async def test_decisions_are_shown_as_they_come_and_nothing_else_is(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    lines: list[str] = []
    enough = asyncio.Event()

    def write(text: str) -> None:
        lines.append(text)
        if len(lines) == 2:
            enough.set()

    watching = asyncio.create_task(follow(directory, write))
    journal = JournalWriter(directory, JournalOptions(segment_bytes=65_536))
    async with asyncio.timeout(15):
        while not directory.is_dir():
            await asyncio.to_thread(lambda: None)
        journal.start()
        await journal.decided(a_decided("one"))
        journal.completed(a_completed("one"))
        journal.noted(Policy(time="", unix_ns=1, event="followed"))
        await journal.decided(a_decided("two", outcome="deny"))
        await enough.wait()
    watching.cancel()
    await journal.close()
    assert ["allow" in lines[0], "deny" in lines[1], len(lines)] == [True, True, 2]


def test_a_policy_event_has_a_separate_line() -> None:
    assert line(POLICY, color=False, date=True).split() == [
        "2026-11-20T14:00:00Z",
        "policy",
        "rejected",
        *("bundle_unsigned", "it", "has", "no", "signature"),
    ]
    assert STYLES.sub("", line(POLICY, color=True)) == line(POLICY, color=False)


@given(ANY_TEXT)
def test_the_line_of_the_policy_is_harmless_to_the_terminal(text: str) -> None:
    shown = line(POLICY | {"event": text, "detail": text, "revision": text}, color=False)
    assert shown.isprintable()
