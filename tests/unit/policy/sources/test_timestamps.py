"""Every expiry that is a date means the end of its day in the time zone of the environment."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.timestamps import end
from tests.unit.policy.conftest import NOW

Put = Callable[[str, str], Path]
ZURICH = "2026-12-20T23:59:59+01:00"
TOKEN = "a" * 64


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-12-20", "UTC", "2026-12-20T23:59:59+00:00"),
        ("2026-12-20", "Europe/Zurich", ZURICH),
        ("2026-07-20", "Europe/Zurich", "2026-07-20T23:59:59+02:00"),
        ("2026-12-20", "Asia/Kolkata", "2026-12-20T23:59:59+05:30"),
        ("2026-12-20", "No/Where", "2026-12-20T23:59:59+00:00"),
        ("2026-12-20T08:00:00Z", "Europe/Zurich", "2026-12-20T08:00:00+00:00"),
        ("2026-10-24", "America/Asuncion", "2026-10-24T23:59:59-03:00"),
        ("soon", "UTC", None),
        ("2026-02-30", "UTC", None),
        ("20261220", "UTC", "2026-12-20T00:00:00+00:00"),
    ],
)
def test_an_end_is_read_in_its_zone(text: str, zone: str, moment: str | None) -> None:
    found = end(text, zone)
    assert (found and found.isoformat()) == moment


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.sampled_from(["UTC", "Europe/Zurich", "America/Havana"]))
def test_a_date_ends_with_its_last_second(day: date, zone: str) -> None:
    found = end(day.isoformat(), zone)
    assert found is not None
    after = datetime.fromtimestamp(found.timestamp() + 1, ZoneInfo(zone))
    assert found.date() == day < after.date()
    assert after - found.astimezone(UTC) == timedelta(seconds=1)


@pytest.fixture
def dated(policy: Path, put: Put) -> Path:
    put("bundles/dev/environment.yaml", "name: dev\ntime_zone: Europe/Zurich\n")
    put(
        "bundles/dev/agents/two.yaml",
        f"""
        agents:
          - agent: two
            owner: a@example.com
            purpose: Tests
            kind: own
            expires: 2026-12-20
            tokens: [{{sha256: "{TOKEN}", holder: a@example.com, expires: 2026-12-20}}]
        """,
    )
    put(
        "bundles/dev/rules/two.yaml",
        """
        rules:
          - {rule: two, effect: deny, reason: x, expires: 2026-12-20}
          - {rule: kept, effect: deny, reason: x, arguments: [{path: /a, equals: {expires: 2026-12-20}}]}
        """,
    )
    return policy


def test_the_bundle_carries_full_times(dated: Path, builder: Builder) -> None:
    content = builder.content(PolicySource(dated, "dev"), NOW)
    assert isinstance(content, Content), content
    data = content.data
    assert data["rules"]["two"]["expires"] == ZURICH
    assert data["rules"]["kept"]["arguments"][0]["equals"] == {"expires": "2026-12-20"}
    assert data["agents"]["two"]["expires"] == ZURICH
    assert data["index"]["credentials"][TOKEN]["expires"] == ZURICH


def test_a_changed_time_zone_moves_dates_that_were_read_before(dated: Path, put: Put) -> None:
    reader = EnvironmentReader()
    first = reader.read(dated, "dev")
    put("bundles/dev/environment.yaml", "name: dev\ntime_zone: UTC\n")
    second = reader.read(dated, "dev")
    assert isinstance(first, Environment)
    assert isinstance(second, Environment)
    assert first.rules[-1].value["rules"][0]["expires"] == ZURICH
    assert second.rules[-1].value["rules"][0]["expires"] == "2026-12-20T23:59:59+00:00"


def test_observing_and_enforcement_end_with_a_day(policy: Path, put: Put) -> None:
    observe = "observe: {owner: a, reason: x, expires: 2026-12-01}"
    put("bundles/dev/environment.yaml", f"name: dev\ntime_zone: Europe/Zurich\n{observe}\n")
    waived = "enforcement:\n  server_is_listed: {mode: warn, owner: a, reason: x, expires: 2026-12-20}\n"
    put("bundles/dev/enforcement/one.yaml", waived)
    found = EnvironmentReader().read(policy, "dev")
    assert isinstance(found, Environment), found
    assert found.settings.value["observe"]["expires"] == "2026-12-01T23:59:59+01:00"
    assert found.enforcement_entries()["server_is_listed"]["expires"] == ZURICH


@pytest.mark.parametrize(
    "expires", ["2026-02-30", "20.12.2026", "2026-12-20T00:00:60Z", "1999-12-20", "soon", "2026-12"]
)
def test_an_invalid_time_is_refused_with_the_right_form(policy: Path, put: Put, expires: str) -> None:
    put("bundles/dev/rules/two.yaml", f"rules: [{{rule: two, effect: deny, reason: x, expires: '{expires}'}}]\n")
    found = EnvironmentReader().read(policy, "dev")
    assert isinstance(found, list)
    assert len(found) == 1
    assert f'`expires` is `"{expires}"`, which is not accepted. A time is RFC 3339' in str(found[0])


def test_the_moment_of_a_scenario_needs_a_time(policy: Path, put: Put) -> None:
    scenario = "{scenario: s, agent: bot, server: files, tool: read_file, at: 2026-12-20, want: allow}"
    put("bundles/dev/scenarios/one.yaml", f"scenarios: [{scenario}]\n")
    assert "a date alone is not enough" in str(EnvironmentReader().read(policy, "dev"))
