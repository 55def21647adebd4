"""What the READMEs of policy repositories tell to type exists, and what a gateway says is told there."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.artifact.rejection import MEANINGS
from gateway.policy.rego.staged_requirements import CALL_ONLY
from gateway.policy.rules.cross_checks import ALWAYS_DENY
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
    assert {"followed", "stopped", "clock_skew"} <= events
    assert {event for event in events | {"fresh", "stale_soon", "stale"} if f"`policy_{event}`" not in TOLD} == set()
    hub = named("hub", r'_(?:report|tell)\(\s*"([a-z_]+)"')
    assert {"moved", "settings_refused"} <= hub
    assert {event for event in hub if f"`{event}`" not in TOLD} == set()


def test_every_event_of_refused_calls_is_told() -> None:
    refusals = named("telemetry", r'self\._report\(\s*"([a-z_]+)"')
    workers = named("supervisor", r'self\._report\("(worker_(?:un)?ready)"')
    assert refusals | workers >= {"calls_refused", "calls_pass_again", "definition_refused", "instructions_removed"}
    assert workers == {"worker_unready", "worker_ready"}
    assert {event for event in refusals | workers if f"`{event}`" not in TOLD} == set()


def test_every_code_by_which_a_bundle_is_rejected_is_told() -> None:
    assert {code for code in MEANINGS if f"`{code}`" not in TOLD} == set()


def test_the_table_of_refusals_is_that_of_the_gateway() -> None:
    told = re.findall(r"^\| `([a-z_]+)` \| (\d{5}) \| (.+) \| (yes|no) \|$", TOLD, re.MULTILINE)
    known = [(name, str(each.code), each.meaning, "yes" if each.passing else "no") for name, each in FAILURES.items()]
    assert sorted(told) == sorted(known)


def test_the_requirements_that_always_bind_are_told() -> None:
    table = TOLD.partition("Some bind always:\n")[2].partition("`enforcement/` may set")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == ALWAYS_DENY


LIBRARY: Final = ("call", "clock", "principal", "definitions")


def fields(schema: dict[str, Any], at: str) -> set[str]:
    """The fields of the policy input that have no fields of their own, and those whose fields vary."""
    inner = schema.get("properties", {})
    return {field for name, each in inner.items() for field in fields(each, f"{at}.{name}")} if inner else {at}


def test_the_library_of_requirements_is_told_in_full() -> None:
    part = TOLD.partition("### The library that a requirement may use\n")[2].partition("\n### ")[0]
    told = set(re.findall(r"`((?:call|clock|principal|definitions)\.[a-z_]+)(?:\([a-z, ]+\))?`", part))
    sources = {name: (ROOT / f"rego/mcp/lib/{name}/{name}.rego").read_text(encoding="utf-8") for name in LIBRARY}
    names = {
        f"{name}.{rule}" for name, text in sources.items() for rule in re.findall(r"^([a-z]\w*)", text, re.MULTILINE)
    }
    assert told == {name for name in names if name.partition(".")[2] not in {"package", "import"}}


def test_the_input_is_told_field_by_field() -> None:
    part = TOLD.partition("### The input, field by field\n")[2].partition("\n## ")[0]
    schema = json.loads((ROOT / "rego/schemas/input.json").read_text(encoding="utf-8"))
    assert set(re.findall(r"`(input\.[a-z_0-9.]+)`", part)) == fields(schema, "input")


def test_what_met_may_not_read_is_told() -> None:
    part = TOLD.partition("### The input, field by field\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| .* \| call\b.*\|$", part, re.MULTILINE)
    told = {field.split(".")[1] for row in rows for field in re.findall(r"`(input\.[a-z_0-9.]+)`", row)}
    schema = json.loads((ROOT / "rego/schemas/input.json").read_text(encoding="utf-8"))
    assert told == {name for name in CALL_ONLY if name in schema["properties"]} | {"message"}


def test_every_metric_and_setting_that_is_told_exists() -> None:
    metrics = set(re.findall(r"`mcp_admission_([a-z_]+[a-z])[{`]", TOLD))
    known = named("telemetry", r'"(?:mcp_admission_)?([a-z_]+)"') | named("supervisor", r'"mcp_admission_([a-z_]+)"')
    assert len(metrics) > 5
    assert {name for name in metrics if not {name, name.removesuffix("_total")} & known} == set()
    settings = set(re.findall(r"`((?:policy|opa|state|journal)\.[a-z_.]+)[`:]", TOLD)) - {"opa.yaml"}
    assert "opa.stale_hard_s" in settings
    assert settings <= SETTINGS
