"""The bundle's data is complete, and a decision looks up all values in it by key."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.rules.name_globs import NameGlobs
from gateway.policy.rules.policy_data import bundle_data
from gateway.policy.rules.rule_index import ROWS, seal
from gateway.policy.sources.environment import Environment, EnvironmentReader

Put = Callable[[str, str], Path]


@pytest.fixture
def data(policy: Path) -> Callable[[], dict[str, Any]]:
    def made() -> dict[str, Any]:
        environment = EnvironmentReader().read(policy, "dev")
        assert isinstance(environment, Environment), environment
        return bundle_data(environment, {})

    return made


Data = Callable[[], dict[str, Any]]


def test_every_optional_value_is_written_out(data: Data) -> None:
    made = data()
    assert made["environment"] == {
        "name": "dev",
        "default": "deny",
        "time_zone": "UTC",
        "require_pins": False,
        "check_schemas": "lenient",
        "check_formats": False,
        "observe": None,
        "data_classes": None,
    }
    assert (made["required"], made["enforcement"], made["own"]) == ([], {}, {})
    assert made["catalog"]["servers"]["files"] == {
        "server": "files",
        "url": "http://127.0.0.1:9000/mcp",
        "owner": "alice@example.com",
        "title": "",
        "trust": "low",
        "environment": "",
        "tags": [],
        "credential": None,
        "timeout_s": 60,
        "large_results": False,
        "check_output": False,
        "instructions": None,
        "check_formats": False,
        "believe_annotations": False,
        "server_requests": [],
        "definition_drift": {},
        "data": [],
        "reach": None,
    }
    assert made["catalog"]["targets"]["files"] == {
        "tools": {"read_file": {"action": "read", "tags": [], "pin": None, "data": [], "reach": None}},
        "prompts": {},
        "resources": {},
        "resource_prefixes": [],
        "tasks": None,
    }
    assert made["agents"]["bot"]["scope"] == {"servers": ["*"], "actions": ["*"]}
    assert (made["agents"]["bot"]["expires"], made["agents"]["bot"]["anonymous"]) == (None, False)
    assert made["agents"]["bot"]["clearance"] == []


def test_a_rule_carries_its_file_and_line_and_all_its_keys(data: Data) -> None:
    assert data()["rules"]["bot-reads"] == {
        "rule": "bot-reads",
        "effect": "allow",
        "who": {"agents": ["bot"]},
        "what": {"servers": ["files"], "actions": ["read", "list"]},
        "when": None,
        "arguments": [],
        "unless": None,
        "mode": None,
        "reason": "It is what the bot is for.",
        "owner": "alice@example.com",
        "expires": None,
        "file": "rules/rules.yaml",
        "line": 2,
    }


def test_resources_are_exact_or_prefixes_with_the_longest_first(data: Data, put: Put) -> None:
    put(
        "bundles/dev/catalog/docs.yaml",
        """
        server: docs
        url: https://docs.example/mcp
        owner: a
        resources:
          "file:///*": {action: read}
          "file:///docs/*": {action: write}
          "file:///docs/a.md": {action: read, tags: [x]}
        """,
    )
    targets = data()["catalog"]["targets"]["docs"]
    (resource,) = targets["resources"].items()
    assert resource == (
        "file:///docs/a.md",
        {"action": "read", "tags": ["x"], "pin": None, "data": [], "reach": None},
    )
    assert [each["prefix"] for each in targets["resource_prefixes"]] == ["file:///docs/", "file:///"]


def test_drift_is_the_servers_own_or_the_environments(data: Data, put: Put) -> None:
    put("bundles/dev/environment.yaml", "name: dev\ndefinition_drift: {description: warn}\n")
    put("bundles/dev/catalog/own.yaml", "server: own\nurl: http://x/\nowner: a\ndefinition_drift: {schema: allow}\n")
    servers = data()["catalog"]["servers"]
    assert servers["files"]["definition_drift"] == {"description": "warn"}
    assert servers["own"]["definition_drift"] == {"schema": "allow"}


def test_credentials_are_found_by_digest_and_identity(data: Data, put: Put) -> None:
    put(
        "bundles/dev/agents/more.yaml",
        f"""
        agents:
          - agent: ci
            owner: o
            purpose: p
            kind: own
            anonymous: true
            tokens:
              - {{sha256: "{"a" * 64}", holder: h}}
              - {{sha256: "{"b" * 64}", holder: h, expires: "2027-01-01T00:00:00Z"}}
            identities:
              - {{issuer: https://idp.example, client_id: ci}}
              - {{issuer: https://idp.example, group: builders}}
              - {{issuer: https://idp.example, client_id: ide, group: staff}}
              - {{issuer: https://idp.example, subject: alice, group: staff}}
              - {{issuer: https://idp.example, subject: alice, client_id: ide}}
        """,
    )
    index = data()["index"]
    assert index["credentials"] == {
        "a" * 64: {"agent": "ci", "holder": "h", "expires": None},
        "b" * 64: {"agent": "ci", "holder": "h", "expires": "2027-01-01T00:00:00Z"},
    }
    assert index["identities"] == {
        "https://idp.example": {
            "subject": {},
            "client_id": {"ci": "ci"},
            "group": {"builders": "ci"},
            "combined": {"": {"ide": {"staff": "ci"}}, "alice": {"": {"staff": "ci"}, "ide": {"": "ci"}}},
        }
    }
    assert index["anonymous"] == "ci"
    assert "tokens" not in data()["agents"]["ci"]


def rules(put: Put, text: str) -> None:
    put("bundles/dev/catalog/db.yaml", "server: db\nurl: http://x/\nowner: a\nenvironment: production\ntags: [sql]\n")
    put("bundles/dev/rules/rules.yaml", f"rules:\n  - {{rule: r, effect: {text}}}\n")


def found(index: dict[str, Any]) -> dict[tuple[str, str], set[str]]:
    """(server, who key) -> the rows under which the rule lies."""
    places: dict[tuple[str, str], set[str]] = {}
    for server, rows in index["rules"].items():
        for row, keys in rows.items():
            for key, leaf in keys.items():
                if leaf["allow"] or leaf["look"]:
                    places.setdefault((server, key), set()).add(row)
    return places


ALL: set[str] = set(ROWS)
NONE: set[str] = set()


@pytest.mark.parametrize(
    ("rule", "places"),
    [
        ("deny", {("*", "any"): ALL}),
        ("deny, what: {servers: [db]}", {("db", "any"): ALL}),
        ("deny, what: {servers: ['*']}", {("db", "any"): ALL, ("files", "any"): ALL}),
        ("deny, what: {server_tags: [sql]}", {("db", "any"): ALL}),
        ("deny, what: {server_environments: [production], servers: [f*]}", {}),
        ("deny, who: {agents: [bot], kinds: [x]}", {("*", "agent:bot"): ALL}),
        ("deny, who: {kinds: [x, y]}", {("*", "kind:x"): ALL, ("*", "kind:y"): ALL}),
        ("deny, who: {groups: [g]}", {("*", "group:g"): ALL, ("*", "unknown:groups"): ALL}),
        (
            "hold, who: {groups: [g, h]}",
            dict.fromkeys([("*", "group:g"), ("*", "group:h"), ("*", "unknown:groups")], ALL),
        ),
        ("allow, who: {groups: [g]}", {("*", "group:g"): ALL}),
        ("deny, who: {groups: [g], labels: [x]}", {("*", "label:x"): ALL}),
        ("deny, what: {actions: [send]}", {("*", "any"): {"send", "unknown"}}),
        ("allow, what: {actions: [send]}", {("*", "any"): {"send", "unknown", "none"}}),
        ("hold, what: {tools: [x]}", {("*", "any"): ALL}),
        ("deny, what: {tools: [x]}", {("*", "any"): ALL - {"none"}}),
        ("deny, arguments: [{path: /a, equals: 1}]", {("*", "any"): ALL - {"none"}}),
    ],
)
def test_a_rule_lies_under_every_key_that_can_concern_it(
    data: Data, put: Put, rule: str, places: dict[tuple[str, str], set[str]]
) -> None:
    rules(put, rule)
    assert found(data()["index"]) == places


def test_every_server_has_every_row(data: Data, put: Put) -> None:
    rules(put, "deny, what: {servers: [db]}")
    index = data()["index"]["rules"]
    assert set(index) == {"*", "db", "files"}
    assert all(set(rows) == ALL and all("any" in keys for keys in rows.values()) for rows in index.values())


@pytest.mark.parametrize(
    ("rule", "settled"),
    [
        ("allow", ALL),
        ("allow, what: {servers: ['*'], server_tags: [sql]}", ALL),
        ("allow, who: {agents: [bot, other]}", ALL),
        ("allow, what: {actions: [read]}", {"read", "none"}),
        ("allow, what: {actions: [unknown]}", {"unknown", "none"}),
        ("allow, what: {actions: [read, write, delete, send, execute, list]}", ALL),
        ("allow, what: {tools: [x]}", {"none"}),
        ("allow, what: {tool_tags: [x]}", {"none"}),
        ("allow, arguments: [{path: /a, equals: 1}]", {"none"}),
        ("allow, who: {agents: [bot], kinds: [x]}", NONE),
        ("allow, when: {days: [monday]}", NONE),
        ("allow, expires: '2027-01-01T00:00:00Z'", NONE),
        ("allow, mode: warn, owner: o, reason: r, expires: '2027-01-01T00:00:00Z'", NONE),
        ("deny", NONE),
        ("hold", NONE),
    ],
)
def test_an_allow_rule_without_further_conditions_is_settled(
    data: Data, put: Put, rule: str, settled: set[str]
) -> None:
    put("bundles/dev/agents/other.yaml", "agent: other\nowner: o\npurpose: p\nkind: k\n")
    rules(put, rule)
    rows = [item for rows in data()["index"]["rules"].values() for item in rows.items()]
    assert {row for row, keys in rows if any(leaf["allow"] for leaf in keys.values())} == settled


def test_a_rule_to_look_at_says_which_targets_it_names(data: Data, put: Put) -> None:
    rules(put, "deny, what: {tools: [a*], prompts: [b], actions: [send]}")
    rows = data()["index"]["rules"]["*"]
    assert rows["send"]["any"]["look"] == {"r": {"tools": ["a*"], "prompts": ["b"]}}
    rules(put, "hold, what: {tools: [a*]}")
    assert data()["index"]["rules"]["*"]["none"]["any"]["look"] == {"r": None}


def test_an_agent_looks_only_under_keys_that_some_rule_has(data: Data, put: Put) -> None:
    assert data()["index"]["who"] == {"bot": ["agent:bot"]}
    rules(put, "deny, who: {kinds: [claude-code]}")
    assert data()["index"]["who"] == {"bot": ["kind:claude-code"]}


def test_a_seal_is_over_the_entry_as_opa_writes_it() -> None:
    entry = {"b": "<a & b> \u2028 é \b\x7f", "a": [1, 1.5, None]}
    written = r'{"a":[1,1.5,null],"b":"\u003ca \u0026 b\u003e \u2028 é \b' + "\x7f" + '"}'
    assert json.loads(written) == entry
    assert seal(entry) == hashlib.sha256(written.encode()).hexdigest()


@pytest.mark.parametrize(
    ("glob", "text", "fits"),
    [
        ("*", "anything", True),
        ("a*c", "abc", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("a", "ab", False),
        ("*\n*", "a\nb", True),
    ],
)
def test_globs_know_two_signs(glob: str, text: str, *, fits: bool) -> None:
    assert (NameGlobs([text]).matching(glob) == {text}) is fits
