"""Events that several workers report about one thing are logged once."""

import pytest

from gateway.supervisor import reported_once
from gateway.supervisor.reported_once import ReportedOnce


class Reported:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))


def test_a_refused_definition_is_passed_on_once_whichever_worker_reports_it() -> None:
    reported = Reported()
    once = ReportedOnce(reported)
    for worker in (0, 1, 0):
        once("definition_refused", server="s", kind="tool", target="t", sha256="a", worker=worker)
        once("calls_refused", code="policy_unavailable", worker=worker)
    once("definition_refused", server="s", kind="tool", target="t", sha256="b", worker=0)
    once("definition_refused", server="s", kind="prompt", target="t", sha256="c", worker=0)
    names = [(event, fields.get("sha256")) for event, fields in reported.events]
    assert names.count(("definition_refused", "a")) == 1
    assert names.count(("definition_refused", "b")) == 1
    assert names.count(("definition_refused", "c")) == 1
    assert len(names) == 6


def test_the_oldest_entries_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported_once, "REMEMBERED", 2)
    reported = Reported()
    once = ReportedOnce(reported)
    for digest in "abcab":
        once("definition_refused", server="s", target="t", sha256=digest)
    assert [fields["sha256"] for _, fields in reported.events] == ["a", "b", "c", "a", "b"]
