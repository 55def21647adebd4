"""The log shows the first refusal at once, counts the others, and reports the end."""

from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.refused_definition import PresentedWords, RefusedDefinition, unpacked
from gateway.telemetry import Telemetry
from gateway.telemetry.refusal_log import DRIFTED, DRIFTED_A_MINUTE, EVERY_S, KINDS, RefusalLog

FULL: Final = "/journal: No space left on device"


def refused(server: str, target: str, sha256: str, kind: str = "tool", **words: Any) -> RefusedDefinition:
    digests = dict.fromkeys(words, "0" * 64)
    return RefusedDefinition(
        server=server, kind=kind, target=target, sha256=sha256, revision="dev@1.1", digests=digests, words=words
    )


class Logged:
    """A log, and a clock that a test sets."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.now = 0.0
        self.log: Final = RefusalLog(self.take, lambda: self.now)

    def take(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def wait(self, seconds: float) -> None:
        """Advance the clock, with the flush of each second."""
        for _ in range(int(seconds)):
            self.now += 1
            self.log.flush()


def test_the_first_refusal_is_logged_at_once_with_what_where_and_what_to_do() -> None:
    logged = Logged()
    logged.log.at_source("journal_unavailable", FULL)
    [(event, fields)] = logged.events
    assert event == "calls_refused"
    assert (fields["code"], fields["detail"], fields["left_out"]) == ("journal_unavailable", FULL, 0)
    assert fields["reason"] == "records cannot be written to the journal"
    assert "free space" in fields["remedy"]


def test_the_following_ones_are_counted_and_logged_once_a_minute() -> None:
    logged = Logged()
    for _ in range(3 * 60):
        for _ in range(10):
            logged.log.at_source("policy_unavailable", "OPA did not answer")
        logged.wait(1)
    assert [fields["left_out"] for _, fields in logged.events] == [0, 598, 599, 599]


def test_the_end_is_logged_with_how_many_were_refused_and_a_new_beginning_at_once() -> None:
    logged = Logged()
    for _ in range(5):
        logged.log.at_source("policy_expired", "dev@1 ended")
    logged.wait(EVERY_S + 1)
    assert logged.events[-1] == (
        "calls_pass_again",
        {"code": "policy_expired", "refused": 5, "detail": "no call was refused for a minute"},
    )
    count = len(logged.events)
    logged.wait(600)
    assert len(logged.events) == count
    logged.log.at_source("policy_expired", "dev@1 ended")
    assert logged.events[-1][0] == "calls_refused"


@given(st.lists(st.integers(1, 200), max_size=60))
def test_lines_account_for_every_refusal(pauses: list[int]) -> None:
    logged = Logged()
    for pause in pauses:
        logged.log.at_source("overloaded", "x")
        logged.wait(pause)
    logged.wait(2 * EVERY_S)
    lines = [fields for event, fields in logged.events if event == "calls_refused"]
    ends = [fields for event, fields in logged.events if event == "calls_pass_again"]
    assert sum(fields["refused"] for fields in ends) == len(pauses)
    assert sum(1 + fields["left_out"] for fields in lines) <= len(pauses)


def test_each_server_has_its_line_up_to_a_limit() -> None:
    logged = Logged()
    for number in range(KINDS + 50):
        logged.log.at_edge("upstream_unavailable", "refused", f"server-{number}")
    named = [fields for _, fields in logged.events if "server" in fields]
    assert len(named) == KINDS
    assert len(logged.events) == KINDS + 1


def test_refusals_by_policy_or_caused_by_callers_are_not_logged() -> None:
    logged = Logged()
    for code in ("policy_denied", "message_malformed", "token_unknown", "stopped", "client_gone", "no such code"):
        logged.log.at_edge(code, "x", "s")
    assert logged.events == []


def test_failures_that_are_noted_at_their_source_do_not_count_again_at_the_edge() -> None:
    logged = Logged()
    logged.log.at_source("policy_unavailable", "OPA is away")
    logged.log.at_edge("policy_unavailable", "the policy cannot be evaluated at the moment", "s")
    logged.wait(2 * EVERY_S)
    assert [fields.get("refused") for _, fields in logged.events] == [None, 1]


def test_a_changed_definition_is_logged_once_and_the_next_change_again() -> None:
    logged = Logged()
    for digest in ("a", "a", "b", "a"):
        logged.log.drifted(refused("notes", "read", digest))
    assert [(event, fields["target"], fields["sha256"]) for event, fields in logged.events] == [
        ("definition_refused", "read", "a"),
        ("definition_refused", "read", "b"),
    ]
    assert "catalog diff" in logged.events[0][1]["remedy"]


def test_a_refused_definition_is_reported_with_its_words_and_the_revision() -> None:
    logged = Logged()
    logged.log.drifted(refused("notes", "read", "a", description="Send all."))
    logged.log.drifted(refused("notes", "read", "a", kind="prompt"))
    (_, fields), (_, other) = logged.events
    assert (fields["kind"], fields["revision"], other["kind"]) == ("tool", "dev@1.1", "prompt")
    told = PresentedWords(target="read", digests={"description": "0" * 64}, words={"description": "Send all."})
    assert unpacked(fields["presented"]) == told


def test_removed_instructions_are_reported_once_a_minute_with_how_many_were_left_out() -> None:
    logged = Logged()
    for second in (0, 1, 59, 60, 61):
        logged.now = float(second)
        logged.log.instructions(refused("s", "", f"{second:064}", "instructions", instructions="Obey."))
    logged.log.instructions(refused("other", "", "0" * 64, "instructions"))
    told = [(event, fields["server"], fields["left_out"]) for event, fields in logged.events]
    assert told == [
        ("instructions_removed", "s", 0),
        ("instructions_removed", "s", 2),
        ("instructions_removed", "other", 0),
    ]
    assert "Obey." in logged.events[0][1]["presented"]


def test_definitions_do_not_fill_the_memory() -> None:
    logged = Logged()
    for number in range(DRIFTED + 1):
        logged.log.drifted(refused(f"s{number}", "read", "a"))
    logged.log.drifted(refused("s1", "read", "a"))
    assert len(logged.events) == DRIFTED + 1
    logged.now += EVERY_S
    logged.log.drifted(refused("s0", "read", "a"))
    assert len(logged.events) == DRIFTED + 2


def test_definitions_that_always_change_do_not_fill_the_log() -> None:
    logged = Logged()
    for number in range(10 * DRIFTED_A_MINUTE):
        logged.log.drifted(refused("notes", "read", str(number)))
    logged.log.drifted(refused("other", "read", "a"))
    assert [fields["left_out"] for _, fields in logged.events] == [0] * (DRIFTED_A_MINUTE + 1)
    logged.now += EVERY_S
    logged.log.drifted(refused("notes", "read", str(10 * DRIFTED_A_MINUTE - 1)))
    assert logged.events[-1][1]["left_out"] == 9 * DRIFTED_A_MINUTE


def test_the_measures_pass_refusals_on() -> None:
    logged = Logged()
    telemetry = Telemetry(refusals=logged.log)
    telemetry.refused("credential_missing", detail="no file `notes`", server="notes")
    telemetry.drifted(refused("notes", "read", "a"))
    assert [event for event, _ in logged.events] == ["calls_refused", "definition_refused"]
    assert logged.events[0][1]["server"] == "notes"
    Telemetry().refused("credential_missing", detail="x")
    Telemetry().drifted(refused("notes", "read", "a"))
