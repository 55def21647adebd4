"""The data classes of a target follow from the catalog, and a wrong name never removes a class."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.rules.cross_checks import CheckContext, contradictions
from gateway.policy.rules.data_classes import held, reach, uncleared_agents
from gateway.policy.rules.names_used_in_rules import RuleNames, rule_names
from gateway.policy.rules.policy_data import bundle_data
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.problem import Problem

Put = Callable[[str, str], Path]
Json = dict[str, Any]
NOW = 1_795_000_000.0
LISTED = "name: dev\ndata_classes: {classes: [pii, source-code, general], unclassified: general}\n"
CRM = """
server: crm
url: http://127.0.0.1:9001/mcp
owner: alice@example.com
data: [pii]
tools:
  find: {action: read}
  export: {action: read, data: [source-code], reach: external}
prompts:
  greet: {action: read}
resources:
  "crm://a": {action: read, data: [general]}
  "crm://b/*": {action: read}
tasks: {action: read}
"""


@pytest.fixture
def environment(policy: Path, put: Put) -> Callable[[], Environment]:
    put("bundles/dev/environment.yaml", LISTED)
    put("bundles/dev/catalog/crm.yaml", CRM)

    def read() -> Environment:
        found = EnvironmentReader().read(policy, "dev")
        assert isinstance(found, Environment), found
        return found

    return read


Read = Callable[[], Environment]


def problems(environment: Environment) -> list[str]:
    return [f"{each.file}:{each.line} {each.what} {each.remedy}" for each in _found(environment)]


def _found(environment: Environment) -> list[Problem]:
    return contradictions(environment, CheckContext(None, NOW))


def test_a_target_holds_what_it_and_its_server_state_else_the_unclassified(environment: Read) -> None:
    catalog = bundle_data(environment(), {})["catalog"]
    crm = catalog["targets"]["crm"]
    assert catalog["servers"]["crm"]["data"] == ["pii"]
    assert {name: each["data"] for name, each in crm["tools"].items()} == {
        "find": ["pii"],
        "export": ["pii", "source-code"],
    }
    assert crm["prompts"]["greet"]["data"] == crm["tasks"]["data"] == ["pii"]
    assert crm["resources"]["crm://a"]["data"] == ["general", "pii"]
    assert [each["data"] for each in crm["resource_prefixes"]] == [["pii"]]
    assert catalog["targets"]["files"]["tools"]["read_file"]["data"] == ["general"]
    assert catalog["servers"]["files"]["data"] == ["general"]


def test_a_target_reaches_as_far_as_it_states_else_as_its_server(environment: Read, put: Put) -> None:
    tools = bundle_data(environment(), {})["catalog"]["targets"]["crm"]["tools"]
    assert (tools["find"]["reach"], tools["export"]["reach"]) == (None, "external")
    put("bundles/dev/catalog/crm.yaml", CRM + "reach: internal\n")
    tools = bundle_data(environment(), {})["catalog"]["targets"]["crm"]["tools"]
    assert (tools["find"]["reach"], tools["export"]["reach"]) == ("internal", "external")


CLASSES = st.lists(st.sampled_from(["a", "b", "c"]), unique=True)
NOTHING: Json = {}
STATED = st.one_of(st.just(NOTHING), CLASSES.filter(bool).map(lambda classes: {"data": classes}))
SETTINGS: Json = {"data_classes": {"classes": ["a", "b", "c", "d"], "unclassified": "d"}}


@given(STATED, STATED)
def test_a_class_that_one_of_them_omits_still_counts(server: Json, target: Json) -> None:
    both = held(server, target, SETTINGS)
    assert both
    assert set(both) == {*server.get("data", ()), *target.get("data", ())} or both == ["d"]
    for alone in (held(server, {}, SETTINGS), held({}, target, SETTINGS)):
        assert set(alone) <= set(both) or alone == ["d"]
    assert held(server, target, {}) == []


@pytest.mark.parametrize(("server", "target"), list(itertools.product((None, "internal", "external"), repeat=2)))
def test_reach_is_the_targets_own_else_the_servers(server: str | None, target: str | None) -> None:
    stated = [{} if each is None else {"reach": each} for each in (server, target)]
    assert reach(stated[0], stated[1]) == (target or server)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        (
            "catalog/crm.yaml",
            CRM.replace("data: [pii]", "data: [pi]"),
            "bundles/dev/catalog/crm.yaml:4 no data class is called `pi`. Did you mean `pii`?",
        ),
        (
            "catalog/crm.yaml",
            CRM.replace("source-code", "source_code"),
            "bundles/dev/catalog/crm.yaml:7 no data class is called `source_code`. Did you mean `source-code`?",
        ),
        (
            "catalog/crm.yaml",
            CRM.replace("tasks: {action: read}", "tasks: {action: read, data: [secrets]}"),
            "no data class is called `secrets`. Add it to `data_classes` in environment.yaml, or correct the name.",
        ),
        (
            "catalog/crm.yaml",
            CRM.replace("data: [general]", "data: [generals]"),
            "no data class is called `generals`. Did you mean `general`?",
        ),
        (
            "agents/extra.yaml",
            "agent: x\nowner: o\npurpose: p\nkind: own\nclearance: [pii, general, sourcecode]\n",
            "bundles/dev/agents/extra.yaml:5 no data class is called `sourcecode`. Did you mean `source-code`?",
        ),
        (
            "environment.yaml",
            "name: dev\ndata_classes: {classes: [pii, source-code, general], unclassified: generel}\n",
            "bundles/dev/environment.yaml:2 `unclassified` is `generel`, which is not one of `classes`.",
        ),
        (
            "environment.yaml",
            "name: dev\n",
            "bundles/dev/catalog/crm.yaml:4 environment.yaml does not list data classes. List the classes",
        ),
        (
            "catalog/crm.yaml",
            CRM.replace("reach: external", "reach: internal") + "reach: external\n",
            "bundles/dev/catalog/crm.yaml:7 `reach` is `internal`, but the server is `external`. Remove one",
        ),
    ],
)
def test_a_class_that_is_not_listed_is_a_problem(environment: Read, put: Put, path: str, text: str, said: str) -> None:
    assert problems(environment()) == []
    put(f"bundles/dev/{path}", text)
    assert any(said in each for each in problems(environment())), problems(environment())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("environment.yaml", "name: dev\ndata_classes: {classes: [], unclassified: a}\n"),
        ("environment.yaml", "name: dev\ndata_classes: {classes: [a, a], unclassified: a}\n"),
        ("environment.yaml", "name: dev\ndata_classes: {classes: [a]}\n"),
        ("environment.yaml", "name: dev\ndata_classes: [a]\n"),
        ("environment.yaml", "name: dev\ndata_classes: {classes: [PII], unclassified: PII}\n"),
        ("catalog/crm.yaml", CRM.replace("data: [pii]", "data: []")),
        ("catalog/crm.yaml", CRM.replace("data: [pii]", "data: pii")),
        ("catalog/crm.yaml", CRM.replace("reach: external", "reach: outside")),
        ("catalog/crm.yaml", CRM.replace("reach: external", "reach: [external]")),
        ("agents/extra.yaml", "agent: x\nowner: o\npurpose: p\nkind: own\nclearance: []\n"),
        ("rules/x.yaml", "rules:\n  - {rule: x, effect: deny, what: {data: []}, reason: r}\n"),
        ("rules/x.yaml", "rules:\n  - {rule: x, effect: deny, what: {reach: far}, reason: r}\n"),
    ],
)
def test_a_value_of_the_wrong_form_is_a_problem(policy: Path, put: Put, path: str, text: str) -> None:
    put("bundles/dev/environment.yaml", LISTED)
    put(f"bundles/dev/{path}", text)
    assert isinstance(EnvironmentReader().read(policy, "dev"), list)


def test_an_agent_without_clearance_is_reported(environment: Read, put: Put) -> None:
    assert [each.what for each in uncleared_agents(environment())] == [
        "the agent `bot` has no clearance for any data class, so it cannot use any target."
    ]
    put("bundles/dev/environment.yaml", "name: dev\n")
    assert list(uncleared_agents(environment())) == []


@pytest.fixture
def named(environment: Read, put: Put) -> Callable[[str, str], RuleNames]:
    def looked(what: str, effect: str = "deny") -> RuleNames:
        put(
            "bundles/dev/rules/x.yaml",
            f"rules:\n  - {{rule: x, effect: {effect}, what: {what}, reason: r, owner: o}}\n",
        )
        return rule_names(environment(), NOW)

    return looked


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("{data: [piii]}", "no data class is called `piii`. Did you mean `pii`?"),
        ("{data: [pii, secret]}", "no data class is called `secret`. Correct the name, or add it to `data_classes`"),
        ("{servers: [files], tools: [read_file], data: [pii]}", "no target on `files` matches all of `tools`, `data`."),
        ("{tools: [export], reach: internal}", "no target matches all of `tools`, `reach`."),
    ],
)
def test_a_rule_names_classes_that_are_listed(named: Callable[..., RuleNames], what: str, said: str) -> None:
    denying = named(what)
    assert any(said in f"{each.what} {each.remedy}" for each in denying.problems), denying
    permitting = named(what, "allow")
    assert not permitting.problems
    assert any(said in f"{each.what} {each.remedy}" for each in permitting.warnings), permitting


def test_a_class_that_no_target_holds_is_reported(named: Callable[..., RuleNames]) -> None:
    found = named("{servers: [files], data: [pii]}")
    assert found.problems == []
    assert [each.what for each in found.warnings] == ["no target on `files` holds data of the class `pii`."]
    assert named("{data: [pii, general], reach: external}") == RuleNames([], [])
    assert named("{tools: [export], data: [source-code], reach: external}") == RuleNames([], [])
