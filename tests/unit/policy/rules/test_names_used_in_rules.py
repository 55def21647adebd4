"""An unknown name in a rule is a problem or a warning; a waiver has an owner and an end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.rules.catalog_names import meets
from gateway.policy.rules.name_globs import fits
from gateway.policy.rules.names_used_in_rules import RuleNames, rule_names
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.name_suggestions import Suggestions
from gateway.policy.sources.problem import Problem, Problems

NOW = 1_795_000_000.0  # 2026-11-18
Put = Callable[[str, str], Path]
Look = Callable[..., RuleNames]

SLACK = """
server: slack
url: http://127.0.0.1:9001/mcp
owner: alice@example.com
environment: production
tags: [messaging]
tools:
  send_message: {action: send, tags: [chat]}
  search_messages: {action: read}
  archive: {}
prompts:
  summarize: {action: read}
resources:
  "slack://channels/*": {action: read}
  "HTTPS://Slack.Example/guide": {action: read, tags: [guide]}
"""
AGENTS = """
agents:
  - agent: writer
    owner: bob@example.com
    purpose: Writes
    kind: own
    labels: [unattended]
    identities: [{issuer: "https://idp.example.com", group: contractors}]
"""


@pytest.fixture
def look(policy: Path, put: Put) -> Look:
    put("bundles/dev/catalog/slack.yaml", SLACK)
    put("bundles/dev/agents/writer.yaml", AGENTS)

    def looked(fields: str, effect: str = "deny", more: str = "") -> RuleNames:
        put(
            "bundles/dev/rules/r.yaml",
            f"rules:\n  - rule: r\n    effect: {effect}\n    {fields}\n    {more}\n",
        )
        environment = EnvironmentReader().read(policy, "dev")
        assert isinstance(environment, Environment), environment
        return rule_names(environment, NOW)

    return looked


UNKNOWN = [
    ("what: {servers: [slak]}", "no server is called `slak`. Did you mean `slack`?"),
    ("what: {servers: [git*]}", "no server is called `git*`"),
    ("what: {servers: [Slack]}", "Did you mean `slack`?"),
    ("what: {server_tags: [mesaging]}", "no server has the tag `mesaging`. Did you mean `messaging`?"),
    ("what: {server_tags: [database]}", "no server has the tag `database`"),
    ("what: {server_environments: [prod]}", "no server is in the environment `prod`"),
    ("what: {tools: [send_mesage]}", "no tool is called `send_mesage`. Did you mean `send_message`?"),
    ("what: {tools: [send_message, sendmessage]}", "no tool is called `sendmessage`. Did you mean `send_message`?"),
    ("what: {tools: [Send_Message]}", "Did you mean `send_message`?"),
    ("what: {tools: ['send-*']}", "no tool is called `send-*`"),
    ("what: {tools: ['*_mesage']}", "no tool is called `*_mesage`"),
    ("what: {tools: ['send_messag?s']}", "no tool is called `send_messag?s`"),
    ("what: {tools: ['send_message ']}", "Did you mean `send_message`?"),
    ("what: {tools: [summarize]}", "no tool is called `summarize`"),
    ("what: {servers: [slack], tools: [read_file]}", "on `slack`. The server `files` has it."),
    ("what: {servers: [slack], tools: [send_mesage]}", "on `slack`. Did you mean `send_message`?"),
    ("what: {server_tags: [messaging], tools: ['read_*']}", "no tool is called `read_*` on `slack`"),
    ("what: {prompts: [sumarize]}", "no prompt is called `sumarize`. Did you mean `summarize`?"),
    ("what: {prompts: ['x*']}", "no prompt is called `x*`"),
    ("what: {resources: ['slack://channel/general']}", "no resource has the URI `slack://channel/general`"),
    ("what: {resources: ['slack://chanels/*']}", "Did you mean `slack://channels/*`?"),
    ("what: {resources: ['https://slack.example/guides']}", "no resource has the URI"),
    ("what: {resources: ['*://chanels/*']}", "no resource has the URI"),
    ("what: {servers: [files], resources: ['slack://channels/a']}", "The server `slack` has it."),
    ("what: {tool_tags: [chats]}", "no target has the tag `chats`. Did you mean `chat`?"),
    ("what: {servers: [files], tool_tags: [chat]}", "no target has the tag `chat` on `files`"),
    ("what: {servers: [files], server_tags: [messaging]}", "no server matches all of `servers`, `server_tags`"),
    ("what: {tools: [send_message], actions: [read]}", "no target matches all of `tools`, `actions`"),
    ("what: {tools: [search_messages], tool_tags: [chat]}", "no target matches all of `tools`, `tool_tags`"),
    ("who: {agents: [writr]}", "no agent is called `writr`. Did you mean `writer`?"),
    ("who: {agents: ['wri*']}", "no agent is called `wri*`"),
    ("who: {kinds: [cursor]}", "no agent is of the kind `cursor`"),
    ("who: {labels: [attended]}", "no agent has the label `attended`. Did you mean `unattended`?"),
    ("who: {owners: [carol@example.org]}", "no agent is owned by `carol@example.org`"),
    ("who: {groups: [contractor]}", "no group is called `contractor`. Did you mean `contractors`? If both exist"),
    ("who: {agents: [bot], labels: [unattended]}", "no agent matches all of `agents`, `labels`"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "said"), UNKNOWN)
@pytest.mark.parametrize("effect", ["deny", "hold", "allow"])
def test_an_unknown_name_is_a_problem_if_the_rule_restricts_else_a_warning(
    look: Look, fields: str, said: str, effect: str
) -> None:
    found = look(fields, effect)
    told, other = (found.warnings, found.problems) if effect == "allow" else (found.problems, found.warnings)
    assert other == []
    assert [(each.file, each.line) for each in told] == [("bundles/dev/rules/r.yaml", 4)]
    assert said in str(told[0])
    assert told[0].remedy


@pytest.mark.parametrize(
    "fields",
    [
        "what: {servers: ['*'], tools: ['*'], prompts: ['**'], resources: ['*']}",
        "what: {servers: ['sl?ck'], tools: ['*_message', 'archiv?']}",
        "what: {tools: [read_file, send_message], actions: [send]}",
        "what: {tools: [archive], actions: [delete]}",
        "what: {tools: ['*_message'], actions: [delete]}",
        "what: {actions: [delete, execute, unknown]}",
        "what: {resources: ['slack://channels/general', 'slack://chan*', 'slack://channels/a?c/*', '*/general']}",
        "what: {resources: ['https://slack.example/guide', 'https://SLACK.example/*', '*://channels/x']}",
        "what: {tool_tags: [guide, chat], server_environments: [production], server_tags: [messaging]}",
        "who: {agents: [writer], kinds: [own], labels: [unattended], owners: [bob@example.com], groups: [contractors]}",
        "who: {groups: [everybody-in-the-company]}",
        "reason: It is about everything.",
    ],
)
def test_a_rule_of_names_that_exist_is_accepted(look: Look, fields: str) -> None:
    assert look(fields) == RuleNames([], [])


def test_one_wrong_server_does_not_make_its_tools_problems(look: Look) -> None:
    found = look("what: {servers: [slack, flies], tools: [read_file]}")
    assert [problem.what for problem in found.problems] == ["no server is called `flies`."]


def test_the_groups_of_an_environment_are_all_that_a_rule_may_name(look: Look, put: Put) -> None:
    put("bundles/dev/environment.yaml", "name: dev\ngroups: [interns]\n")
    assert look("who: {groups: [interns, contractors]}").problems == []
    remedy = "Correct the name, or add it to `groups` in environment.yaml."
    found = look("who: {groups: [marketing]}").problems
    assert found == [Problem("bundles/dev/rules/r.yaml", 4, "no group is called `marketing`.", remedy)]


WAIVER = "{not_yet}owner: alice@example.com\n    expires: {end}"
AHEAD = WAIVER.format(not_yet="not_yet: true\n    ", end="2026-12-20T00:00:00Z")
OVER = WAIVER.format(not_yet="not_yet: true\n    ", end="2026-11-01T00:00:00Z")


@pytest.mark.parametrize(("fields", "said"), UNKNOWN)
@pytest.mark.parametrize("effect", ["deny", "allow"])
def test_a_waiver_waives_every_unknown_name_of_its_rule(look: Look, fields: str, said: str, effect: str) -> None:
    del said
    assert look(fields, effect, AHEAD) == RuleNames([], [])


def test_a_waiver_that_has_ended_has_no_effect(look: Look) -> None:
    found = look("what: {tools: [send_mesage]}", more=OVER)
    assert [problem.what for problem in found.problems] == [
        "no tool is called `send_mesage` (`not_yet` ended at 2026-11-01T00:00:00Z)."
    ]
    assert found.warnings == []


@pytest.mark.parametrize("more", [AHEAD, OVER])
@pytest.mark.parametrize("effect", ["deny", "hold", "allow"])
def test_a_waiver_without_effect_is_reported(look: Look, effect: str, more: str) -> None:
    found = look("what: {tools: [send_message]}", effect, more)
    assert found.problems == []
    assert [(each.line, each.what) for each in found.warnings] == [
        (5, "`not_yet` has no effect: everything that the rule `r` names exists.")
    ]
    assert ("also `expires`" in found.warnings[0].remedy) == (effect != "allow")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("not_yet: true", "lacks `owner`"),
        ("not_yet: true", "lacks `expires`"),
        ("not_yet: false", "`not_yet` is `false`"),
        ("not_yet: 'yes'", "`not_yet` is"),
        (AHEAD.replace("2026-12-20T00:00:00Z", "never"), "`expires` is"),
    ],
)
def test_a_waiver_needs_an_owner_and_an_end(policy: Path, put: Put, fields: str, said: str) -> None:
    put("bundles/dev/rules/r.yaml", f"rules:\n  - rule: r\n    effect: deny\n    reason: x\n    {fields}\n")
    found = EnvironmentReader().read(policy, "dev")
    assert isinstance(found, list)
    assert said in " ".join(map(str, found))


def rule_in(builder: Builder, source: PolicySource) -> dict[str, Any]:
    content = builder.content(source, NOW)
    assert isinstance(content, Content), content
    return content.data["rules"]["r"]


@pytest.mark.parametrize(
    ("effect", "mode", "end"),
    [
        ("deny", "", None),
        ("hold", "", None),
        ("allow", "", "2026-12-20T00:00:00Z"),
        ("deny", "mode: shadow", "2026-12-20T00:00:00Z"),
    ],
)
def test_the_end_of_a_waiver_ends_no_restriction(
    builder: Builder, source: PolicySource, put: Put, effect: str, mode: str, end: str | None
) -> None:
    what = "reason: x\n    what: {tools: [soon]}"
    rule = f"rules:\n  - rule: r\n    effect: {effect}\n    {what}\n    {AHEAD}\n    {mode}\n"
    put("bundles/dev/rules/r.yaml", rule)
    carried = rule_in(builder, source)
    assert carried["expires"] == end
    assert "not_yet" not in carried


def test_a_bundle_does_not_carry_the_list_of_groups(builder: Builder, source: PolicySource, put: Put) -> None:
    put("bundles/dev/environment.yaml", "name: dev\ngroups: [interns]\n")
    content = builder.content(source, NOW)
    assert isinstance(content, Content)
    assert "groups" not in content.data["environment"]


def test_a_build_refuses_unknown_names_of_a_deny_and_reports_those_of_an_allow(
    builder: Builder, source: PolicySource, put: Put
) -> None:
    said = "reason: x\n    owner: a@example.com"
    rule = f"rules:\n  - rule: r\n    effect: {{}}\n    what: {{{{tools: [raed_file]}}}}\n    {said}\n"
    put("bundles/dev/rules/r.yaml", rule.format("allow"))
    built = builder.build(source, NOW)
    assert not isinstance(built, Problems), built
    warning = Problem("bundles/dev/rules/r.yaml", 4, "no tool is called `raed_file`.", "Did you mean `read_file`?")
    assert built.warnings == (warning,)
    assert warning.as_warning.startswith("bundles/dev/rules/r.yaml:4: warning: no tool is called")
    put("bundles/dev/rules/r.yaml", rule.format("deny"))
    assert builder.build(source, NOW) == Problems((warning,))


@pytest.mark.parametrize(
    ("glob", "name", "is_fit"),
    [
        ("a*b*c", "abc", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("ab*bc", "abc", False),
        ("*", "", True),
        ("**a", "a", True),
        ("a?c", "abc", True),
        ("a?*", "a", False),
        ("a.c", "abc", False),
        ("a", "ab", False),
    ],
)
def test_a_glob_fits_whole_names(glob: str, name: str, *, is_fit: bool) -> None:
    assert fits(glob, name) is is_fit


@pytest.mark.parametrize(
    ("glob", "prefix", "is_met"),
    [
        ("db://a/b", "db://a/", True),
        ("db://a", "db://a/", False),
        ("db://a*", "db://a/", True),
        ("db://?/x", "db://a/", True),
        ("db://b*", "db://a/", False),
        ("*://a/x", "db://a/", True),
        ("*://b/x", "db://a/", False),
        ("*x", "db://a/", True),
        ("d*", "db:", True),
    ],
)
def test_a_glob_meets_a_prefix_below_which_it_matches_something(glob: str, prefix: str, *, is_met: bool) -> None:
    assert meets(glob, prefix) is is_met


def test_suggestions_end_when_the_comparisons_of_a_check_are_used_up() -> None:
    suggestions = Suggestions()
    names = [f"tool-{number}" for number in range(20_000)]
    found = [suggestions.nearest("tool-7x", lambda: names) for _ in range(20)]
    assert found[0].startswith("Did you mean `tool-7")
    assert found[-1] == ""
