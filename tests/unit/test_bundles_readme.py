"""What the READMEs of policy repositories tell to type exists, and what a gateway says is told there."""

import re
from pathlib import Path
from typing import Final

import pytest

from gateway.bundle.contradictions import ALWAYS_DENY
from gateway.bundle.rejection import MEANINGS
from gateway.protocol.errors import FAILURES
from tests.unit.test_readme import SETTINGS, invocations, unknown

ROOT: Final = Path(__file__).resolve().parents[2]
TOLD: Final = (ROOT / "bundles" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["bundles/README.md", "gateway/cli/init/template/README.md"])
def test_every_command_and_option_exists(name: str) -> None:
    told = invocations((ROOT / name).read_text(encoding="utf-8"), "mcp-admission")
    assert told
    assert [(line, bad) for line in told if (bad := unknown(line))] == []


def test_nothing_generated_lies_among_the_sources() -> None:
    assert [
        place for place in (ROOT / "bundles").rglob("*") if place.is_file() and place.suffix not in {".yaml", ".md"}
    ] == []


def named(directory: str, pattern: str) -> set[str]:
    """What these sources name in this way."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "gateway" / directory).rglob("*.py"))
    return {name for source in sources for name in re.findall(pattern, source)}


def test_every_event_of_policy_and_of_a_hub_is_told() -> None:
    events = named("supervisor", r'_note\("([a-z_]+)"') | named("supervisor", r'_note\(f"\{prefix\}([a-z_]+)"')
    assert {"followed", "stopped", "clock_apart"} <= events
    assert {event for event in events | {"fresh", "stale_soon", "stale"} if f"`policy_{event}`" not in TOLD} == set()
    hub = named("hub", r'_(?:report|tell)\(\s*"([a-z_]+)"')
    assert {"moved", "settings_refused"} <= hub
    assert {event for event in hub if f"`{event}`" not in TOLD} == set()


def test_every_code_by_which_a_bundle_is_rejected_is_told() -> None:
    assert {code for code in MEANINGS if f"`{code}`" not in TOLD} == set()


def test_the_table_of_refusals_is_that_of_the_gateway() -> None:
    told = re.findall(r"^\| `([a-z_]+)` \| (\d{5}) \| (.+) \| (yes|no) \|$", TOLD, re.MULTILINE)
    known = [(name, str(each.code), each.meaning, "yes" if each.passing else "no") for name, each in FAILURES.items()]
    assert sorted(told) == sorted(known)


def test_the_requirements_that_always_bind_are_told() -> None:
    table = TOLD.partition("Some bind always:\n")[2].partition("`enforcement/` may set")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == ALWAYS_DENY


def test_every_metric_and_setting_that_is_told_exists() -> None:
    metrics = set(re.findall(r"`mcp_admission_([a-z_]+[a-z])[{`]", TOLD))
    known = named("telemetry", r'"(?:mcp_admission_)?([a-z_]+)"') | named("supervisor", r'"mcp_admission_([a-z_]+)"')
    assert len(metrics) > 5
    assert {name for name in metrics if not {name, name.removesuffix("_total")} & known} == set()
    settings = set(re.findall(r"`((?:policy|opa|state|journal)\.[a-z_.]+)[`:]", TOLD)) - {"opa.yaml"}
    assert "opa.stale_hard_s" in settings
    assert settings <= SETTINGS
