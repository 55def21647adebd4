"""Policy events are in the log, in the metrics and in the journal, in the same words."""

from pathlib import Path

from gateway.journal.reader import read
from gateway.settings import SettingProblems, load
from gateway.supervisor.event_log import chronicle
from gateway.supervisor.event_metrics import EventMetrics
from tests.unit.opa.support import Log


async def test_an_event_is_in_all_three_places(tmp_path: Path) -> None:
    settings = load(None, {"MCP_ADMISSION_STATE_DIRECTORY": str(tmp_path)})
    assert not isinstance(settings, SettingProblems)
    log = Log()
    tally = EventMetrics(log)
    async with chronicle(settings, tally) as note:
        note("rejected", code="bundle_unsigned", revision="r", detail="no signature", seconds=1)
        note("hub_reached")
    fields = {"code": "bundle_unsigned", "revision": "r", "detail": "no signature", "seconds": 1}
    assert log.events == [("policy_rejected", fields), ("policy_hub_reached", {})]
    assert b'events_total{event="policy_rejected"} 1' in tally.text()
    assert b'bundles_rejected_total{code="bundle_unsigned"} 1' in tally.text()
    records = list(read(settings.journal.directory))
    assert [record["kind"] for record in records] == ["policy", "policy"]
    assert records[0]["writer"].startswith("supervisor-")
    shown = {name: records[0][name] for name in ("event", "code", "revision", "detail")}
    assert shown == {"event": "rejected", "code": "bundle_unsigned", "revision": "r", "detail": "no signature"}
    assert records[0]["time"].endswith("Z")


async def test_a_journal_that_takes_nothing_does_not_stop_the_news(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("in the way")
    settings = load(None, {"MCP_ADMISSION_STATE_DIRECTORY": str(tmp_path)})
    assert not isinstance(settings, SettingProblems)
    log = Log()
    async with chronicle(settings, log) as note:
        note("followed", revision="r")
    assert log.events == [("policy_followed", {"revision": "r"})]
