"""An argument path that the reviewed schema does not have is found; an argument that a schema leaves open may exist."""

# ruff: noqa: E501 - a case is a line

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.admission.digests import define
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.rules.argument_paths import ArgumentPaths
from gateway.policy.rules.catalog_names import CatalogTarget
from gateway.policy.rules.cross_checks import CheckContext, contradictions
from gateway.policy.rules.names_used_in_rules import RuleNames, rule_names
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.problem import Problem

NOW = 1_795_000_000.0
Put = Callable[[str, str], Path]
SEND: dict[str, Any] = {
    "type": "object",
    "properties": {
        "to": {"type": "array", "items": {"type": "object", "properties": {"mail": {"type": "string"}}}},
        "text": {"type": "string"},
        "a/b": {},
        "options": {"$ref": "#/$defs/options"},
        "labels": {"type": "object"},
    },
    "$defs": {"options": {"properties": {"silent": {"type": "boolean"}, "again": {"$ref": "#/$defs/options"}}}},
}


def instead(schema: Any, path: str, section: str = "tools") -> list[str] | None:
    part = {"tools": "inputSchema", "prompts": "arguments"}[section]
    found = ArgumentPaths().instead(CatalogTarget("s", section, "t", {"reviewed": {part: schema}}), path)
    return None if found is None else sorted(found)


@pytest.mark.parametrize(
    "path",
    ["/to", "/to/0", "/to/0/mail", "/text", "/a~1b", "/a~1b/c", "/options/silent", "/options/again/again/silent", "/labels/x"],
)  # fmt: skip
def test_a_path_that_the_schema_describes_or_leaves_open_is_there(path: str) -> None:
    assert instead(SEND, path) is None


@pytest.mark.parametrize(
    ("path", "others"),
    [
        ("/too", ["/a~1b", "/labels", "/options", "/text", "/to"]),
        ("/To", ["/a~1b", "/labels", "/options", "/text", "/to"]),
        ("/to/mail", []),
        ("/to/0/email", ["/to/0/mail"]),
        ("/text/x", []),
        ("/a/b", ["/a~1b", "/labels", "/options", "/text", "/to"]),
        ("/options/loud", ["/options/again", "/options/silent"]),
        ("/options/again/loud", ["/options/again/again", "/options/again/silent"]),
    ],
)
def test_a_path_that_the_schema_lacks_is_missing(path: str, others: list[str]) -> None:
    assert instead(SEND, path) == others


OPEN: Final[list[Any]] = [
    {},
    True,
    {"type": "object"},
    {"properties": {"a": {}}, "additionalProperties": True},
    {"properties": {"a": {}}, "additionalProperties": {"type": "string"}},
    {"properties": {"a": {}}, "unevaluatedProperties": {}},
    {"properties": {"a": {}}, "patternProperties": {"^x": {}}},
    {"properties": {"a": {}}, "$ref": "https://example.com/schema"},
    {"properties": {"a": {}}, "allOf": [{"properties": {"x": {}}}]},
    {
        "properties": {"a": {}},
        "anyOf": [{"properties": {"b": {}}}, {"$ref": "#/$defs/c"}],
        "$defs": {"c": {"properties": {"x": {}}}},
    },
    {"properties": {"a": {}}, "if": {}, "then": {"properties": {"x": {}}}},
    {"properties": {"a": {"$id": "https://example.com/other"}}},
]


@pytest.mark.parametrize("schema", OPEN)
def test_an_argument_that_a_schema_leaves_open_may_exist(schema: Any) -> None:
    assert instead(schema, "/x") is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": False},
        {"properties": {}, "additionalProperties": False},
        {"properties": {"a": {}}, "additionalProperties": False},
        {"properties": {"a": {}}, "allOf": [{"$ref": "#"}]},
        {"properties": {"a": {"properties": {"x": {}}}}, "$defs": {"x": {}}},
    ],
)
def test_a_schema_that_describes_others_lacks_the_path(schema: Any) -> None:
    assert instead(schema, "/x") is not None


def test_a_prompt_has_the_arguments_that_it_lists() -> None:
    listed = [{"name": "path", "required": True}, {"name": "tone"}]
    assert instead(listed, "/tone", "prompts") is None
    assert instead(listed, "/tones", "prompts") == ["/path", "/tone"]
    assert instead([], "/tone", "prompts") == []


def entry(name: str, schema: Any) -> dict[str, Any]:
    definition = define({"name": name, "inputSchema": schema})
    pin = {"sha256": definition.sha256, "parts": definition.parts}
    return {"action": "send", "pin": pin, "reviewed": {"inputSchema": schema}}


@pytest.fixture
def chat(put: Put) -> Callable[..., None]:
    def written(**tools: Any) -> None:
        entry = {"server": "chat", "url": "http://127.0.0.1:1/mcp", "owner": "a@example.com", "tools": tools}
        put("bundles/dev/catalog/chat.yaml", json.dumps(entry))

    return written


def looked(policy: Path, put: Put, what: str, path: str, effect: str = "deny") -> RuleNames:
    rule = f"{{rule: r, effect: {effect}, {what}arguments: [{{path: {path}, equals: x}}]}}"
    put("bundles/dev/rules/r.yaml", f"rules:\n  - {rule}\n")
    environment = EnvironmentReader().read(policy, "dev")
    assert isinstance(environment, Environment), environment
    assert contradictions(environment, CheckContext(None, NOW)) == []
    return rule_names(environment, NOW)


@pytest.mark.parametrize("what", ["send", "send, mail", "'*en?'"])
def test_a_condition_on_an_argument_that_the_pinned_schema_lacks_is_a_problem(
    policy: Path, put: Put, chat: Callable[..., None], what: str
) -> None:
    chat(send=entry("send", SEND), mail=entry("mail", {"properties": {"texts": {}}}))
    found = looked(policy, put, f"what: {{tools: [{what}]}}, ", "/texts")
    said = "the pinned schema of `send` has no argument `/texts`."
    assert found.problems == [Problem("bundles/dev/rules/r.yaml", 2, said, "Did you mean `/text`?")]
    assert looked(policy, put, f"what: {{tools: [{what}]}}, ", "/texts", "allow").warnings == found.problems


def test_a_test_that_cannot_apply_to_an_argument_is_a_problem(
    policy: Path, put: Put, chat: Callable[..., None]
) -> None:
    chat(send=entry("send", SEND), mail=entry("mail", {"properties": {"to": {"type": "string"}}}))
    found = looked(policy, put, "what: {tools: [send]}, ", "/to")
    (problem,) = found.problems
    assert problem.what == "`/to` of `send` is an array in the pinned schema, but `equals` applies to a string."
    assert problem.remedy.startswith("Write a test for an array, or correct the path. If it does not exist yet")
    assert looked(policy, put, "what: {tools: [send]}, ", "/to", "allow").warnings == found.problems
    assert looked(policy, put, "what: {tools: ['*']}, ", "/to") == RuleNames([], [])
    assert looked(policy, put, "what: {tools: [mail]}, ", "/to") == RuleNames([], [])


@pytest.mark.parametrize("what", ["what: {tools: ['*']}, ", "what: {servers: [chat]}, ", "what: {tools: [bare]}, ", ""])
def test_a_condition_that_some_target_may_have_is_accepted(
    policy: Path, put: Put, chat: Callable[..., None], what: str
) -> None:
    chat(send=entry("send", SEND), mail=entry("mail", {"properties": {"texts": {}}}), bare={"action": "read"})
    assert looked(policy, put, what, "/texts") == RuleNames([], [])


def test_a_reviewed_schema_must_be_what_was_pinned(policy: Path, chat: Callable[..., None]) -> None:
    chat(
        send=entry("send", SEND) | {"reviewed": {"inputSchema": {"properties": {"x": {}}}}},
        mail={"reviewed": {"inputSchema": {}}},
    )
    environment = EnvironmentReader().read(policy, "dev")
    assert isinstance(environment, Environment)
    assert [problem.what for problem in contradictions(environment, CheckContext(None, NOW))] == [
        "the reviewed `inputSchema` of `send` does not match the pin.",
        "the reviewed `inputSchema` of `mail` does not match the pin.",
    ]


def test_a_bundle_does_not_carry_what_was_reviewed(
    builder: Builder, source: PolicySource, chat: Callable[..., None]
) -> None:
    chat(send=entry("send", SEND))
    content = builder.content(source, NOW)
    assert isinstance(content, Content)
    assert content.data["catalog"]["targets"]["chat"]["tools"]["send"].keys() == {
        "action",
        "data",
        "pin",
        "reach",
        "tags",
    }
