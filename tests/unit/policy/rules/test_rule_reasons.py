"""A rule that refuses has a reason, and a rule that allows more than reading also has an owner."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.rules.catalog_names import CatalogNames
from gateway.policy.rules.data_classes import CatalogData
from gateway.policy.rules.rule_reasons import ended_rules, included, rule_reasons
from gateway.policy.sources.environment import Environment, EnvironmentReader
from tests.unit.policy.conftest import NOW

CATALOG = """
    server: {name}
    url: http://127.0.0.1:9000/mcp
    owner: alice@example.com
    tags: [{name}]
    reach: internal
    tools:
      read_file: {{action: read, tags: [calm]}}
      list_files: {{action: list, tags: [calm]}}
      write_file: {{action: write, tags: [wild]}}
      odd: {{}}
    prompts:
      greet: {{action: read}}
    resources:
      "note://a": {{action: read}}
      "note://b/*": {{action: write}}
    """
READS = """
    server: reads
    url: http://127.0.0.1:9001/mcp
    owner: alice@example.com
    environment: calm
    reach: external
    data: [open]
    tools:
      look: {action: read}
    """
TASKS = """
    server: works
    url: http://127.0.0.1:9002/mcp
    owner: alice@example.com
    reach: internal
    tools:
      look: {action: read}
    tasks: {action: execute}
    """


@pytest.fixture
def catalog(put: Callable[[str, str], Path], policy: Path) -> Path:
    put("bundles/dev/catalog/wild.yaml", CATALOG.format(name="wild"))
    put("bundles/dev/catalog/reads.yaml", READS)
    put("bundles/dev/catalog/works.yaml", TASKS)
    return policy


CLASSES = "data_classes: {classes: [open, secret], unclassified: secret}"


def found(policy: Path, rule: str, settings: str = CLASSES) -> list[str]:
    """Return what is wrong with one rule, without its file."""
    (policy / "bundles/dev/environment.yaml").write_text(f"name: dev\n{settings}\n")
    (policy / "bundles/dev/rules/one.yaml").write_text(f"rules: [{{rule: r, {rule}}}]\n")
    environment = EnvironmentReader().read(policy, "dev")
    assert isinstance(environment, Environment), environment
    return [each.what for each in rule_reasons(environment, NOW) if each.file == "bundles/dev/rules/one.yaml"]


@pytest.mark.parametrize("effect", ["deny", "hold"])
def test_a_rule_that_refuses_has_a_reason(catalog: Path, effect: str) -> None:
    assert found(catalog, f"effect: {effect}") == [f"the rule `r` ({effect}) lacks `reason`."]
    assert found(catalog, f"effect: {effect}, reason: x") == []


@pytest.mark.parametrize("field", ["reason", "owner"])
@pytest.mark.parametrize("blank", ["''", "' '", '"\\t\\n"'])
def test_a_blank_reason_or_owner_counts_as_missing(catalog: Path, field: str, blank: str) -> None:
    stated = {"reason": "x", "owner": "a@example.com"} | {field: blank}
    rule = f"rule: r, effect: deny, {', '.join(f'{name}: {text}' for name, text in stated.items())}"
    (catalog / "bundles/dev/rules/one.yaml").write_text(f"rules: [{{{rule}}}]\n")
    problems = EnvironmentReader().read(catalog, "dev")
    assert isinstance(problems, list)
    assert [f"`{field}`" in each.what for each in problems] == [True]


@pytest.mark.parametrize(
    ("stated", "is_reported"),
    [
        ("effect: deny, expires: 2026-01-01", True),
        ("effect: hold, expires: 2026-01-01", True),
        ("effect: allow, what: {actions: [read]}, expires: 2026-01-01", True),
        ("effect: deny, expires: 2027-01-01", False),
        ("effect: deny", False),
        ("effect: deny, mode: warn, owner: a@example.com, expires: 2026-01-01", False),
        ("effect: deny, not_yet: true, owner: a@example.com, expires: 2026-01-01", False),
    ],
)
def test_a_rule_that_has_ended_is_reported(catalog: Path, stated: str, *, is_reported: bool) -> None:
    (catalog / "bundles/dev/rules/one.yaml").write_text(f"rules: [{{rule: r, reason: x, {stated}}}]\n")
    environment = EnvironmentReader().read(catalog, "dev")
    assert isinstance(environment, Environment), environment
    said = [each.what for each in ended_rules(environment, NOW) if each.file.endswith("one.yaml")]
    assert [each.startswith("the rule `r` (") and "no longer applies" in each for each in said] == [True] * is_reported


HARMFUL = [
    "",
    "what: {actions: [read, write]}",
    "what: {actions: [delete]}",
    "what: {actions: [send]}",
    "what: {actions: [execute]}",
    "what: {actions: [unknown]}",
    "what: {servers: [wild]}",
    "what: {servers: ['*']}",
    "what: {servers: [wild], tools: [write_file]}",
    "what: {servers: [wild], tools: [odd]}",
    "what: {tools: ['*_file']}",
    "what: {tools: [read_file], resources: ['note://*']}",
    "what: {resources: ['note://b/x']}",
    "what: {tool_tags: [wild]}",
    "what: {tool_tags: [calm, wild]}",
    "what: {server_tags: [wild]}",
    "what: {servers: [works]}",
    "what: {tools: [still_to_come]}",
    "what: {servers: [reads], tools: [write_file]}",
    "what: {reach: internal}",
    "what: {data: [secret]}",
    "what: {data: [open, secret]}",
    "who: {kinds: [own]}",
]
MILD = [
    "what: {actions: [read]}",
    "what: {actions: [read, list]}",
    "what: {servers: [reads]}",
    "what: {servers: [reads], tools: [look]}",
    "what: {tools: [look]}",
    "what: {server_environments: [calm]}",
    "what: {servers: [wild], tools: [read_file, 'list_*']}",
    "what: {prompts: [greet]}",
    "what: {resources: ['note://a']}",
    "what: {tool_tags: [calm]}",
    "what: {reach: external}",
    "what: {data: [open]}",
    "what: {data: [open], reach: external}",
    "what: {servers: [works], tools: [look]}",
]


@pytest.mark.parametrize("stated", HARMFUL)
def test_an_allow_of_more_than_reading_has_a_reason_and_an_owner(catalog: Path, stated: str) -> None:
    rule = ", ".join(each for each in ("effect: allow", stated) if each)
    assert [each.rpartition(" ")[2] for each in found(catalog, rule)] == ["`reason`.", "`owner`."]
    assert [each.rpartition(" ")[2] for each in found(catalog, f"{rule}, reason: x")] == ["`owner`."]
    assert found(catalog, f"{rule}, reason: x, owner: a@example.com") == []


@pytest.mark.parametrize("stated", MILD)
def test_an_allow_of_reading_needs_neither(catalog: Path, stated: str) -> None:
    assert found(catalog, f"effect: allow, {stated}") == []


def test_the_actions_that_an_allow_includes_are_named(catalog: Path) -> None:
    assert found(catalog, "effect: allow, what: {servers: [wild], tools: [odd]}")[0] == (
        "the rule `r` allows `odd` of `wild` (unknown) and lacks `reason`."
    )
    assert "allows write, send and" in found(catalog, "effect: allow, what: {actions: [read, write, send]}")[0]
    assert "allows tasks of `works` (execute) and" in found(catalog, "effect: allow, what: {servers: [works]}")[0]


@pytest.mark.parametrize(
    ("expires", "wrong"),
    [
        ("", "lacks `expires`"),
        (', expires: "2027-03-30T00:00:00Z"', "expires later"),
        (", expires: 2026-12-20", ""),
    ],
)
def test_an_environment_may_want_an_end_of_such_rules(catalog: Path, expires: str, wrong: str) -> None:
    settings = "allow_expires_within_days: 90"
    rule = f"effect: allow, reason: x, owner: a@example.com{expires}"
    said = found(catalog, rule, settings)
    assert [wrong in each for each in said] == ([True] if wrong else [])
    assert found(catalog, f"effect: allow, what: {{actions: [read]}}{expires}", settings) == []
    assert found(catalog, f"effect: deny, reason: x{expires}", settings) == []


@given(st.sets(st.sampled_from(["read", "list", "write", "delete", "send", "execute", "unknown"]), min_size=1))
def test_any_action_but_reading_is_included(actions: set[str]) -> None:
    rule = {"rule": "r", "effect": "allow", "what": {"actions": sorted(actions)}}
    catalog = CatalogNames([])
    assert bool(included(rule, catalog, CatalogData(catalog, {}))) == bool(actions - {"read", "list"})
