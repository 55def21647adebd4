from gateway.supervisor.tally import Tally
from tests.unit.opa.support import Log


def test_events_are_passed_on_and_counted_by_name() -> None:
    log = Log()
    tally = Tally(log)
    tally("opa_ended", code=1)
    tally("opa_ended", code=2)
    tally('x"} 1\nforged')
    assert log.named("opa_ended") == [{"code": 1}, {"code": 2}]
    assert tally.over(lambda _: b"first\n")([]).decode().splitlines() == [
        "first",
        "# HELP mcp_admission_events_total What happened to processes and policy.",
        "# TYPE mcp_admission_events_total counter",
        'mcp_admission_events_total{event="opa_ended"} 2',
        'mcp_admission_events_total{event="other"} 1',
    ]
