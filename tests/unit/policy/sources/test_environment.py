"""All mistakes in an environment's YAML are reported at once, each with its file and line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.policy.rules.cross_checks import CheckContext, contradictions
from gateway.policy.rules.names_used_in_rules import rule_names
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.problem import Problem

NOW = 1_795_000_000.0  # 2026-11-18
Put = Callable[[str, str], Path]
Found = Callable[[], list[Problem]]
DIGEST = "a" * 64


@pytest.fixture
def found(policy: Path) -> Found:
    def problems() -> list[Problem]:
        environment = EnvironmentReader().read(policy, "dev")
        if isinstance(environment, list):
            return environment
        between = contradictions(environment, CheckContext({"server_is_listed", "mail_is_known"}, NOW))
        return [*between, *rule_names(environment, NOW).problems]

    return problems


def told(problems: list[Problem]) -> list[tuple[str, int]]:
    return sorted((problem.file.removeprefix("bundles/dev/"), problem.line) for problem in problems)


def test_the_policy_of_these_tests_is_in_order(found: Found) -> None:
    assert found() == []


def twins(more: str) -> str:
    return "agents:\n" + "".join(f"  - {{agent: {name}, owner: o, purpose: p, kind: k, {more}}}\n" for name in "ab")


def warned(requirement: str) -> str:
    return f"enforcement:\n  {requirement}: {{mode: warn, owner: o, reason: r, expires: '2026-12-01T00:00:00Z'}}\n"


RULE = "rules:\n  - rule: r\n    effect: deny\n"
AGENT = "agent: a\nowner: o\npurpose: p\nkind: k\n"
SERVER = "server: s\nurl: http://x/\nowner: o\n"


@pytest.mark.parametrize(
    ("path", "text", "line", "said"),
    [
        ("environment.yaml", "name: dev\ndefault: maybe\n", 2, '`default` is `"maybe"`'),
        ("environment.yaml", "name: dev\ntimezone: UTC\n", 2, "`timezone` is not known here"),
        ("environment.yaml", "default: deny\n", 1, "lacks `name`"),
        ("environment.yaml", "name: dev\nobserve: {owner: a, reason: b}\n", 2, "lacks `expires`"),
        ("environment.yaml", "- 1\n", 1, "wrong type"),
        ("catalog/s.yaml", "server: S\nurl: http://x/\nowner: o\n", 1, "`server` is"),
        ("catalog/s.yaml", "server: s\nurl: ftp://x/\nowner: o\n", 2, "`url` is"),
        ("catalog/s.yaml", "server: s\nurl: http://u:p@x/\nowner: o\n", 2, "`url` is"),
        ("catalog/s.yaml", f"{SERVER}tools:\n  t: {{action: sned}}\n", 5, '`action` is `"sned"`'),
        ("catalog/s.yaml", f"{SERVER}tools:\n  t: {{pin: {{sha256: x, parts: {{}}}}}}\n", 5, "`sha256` is"),
        ("catalog/s.yaml", f"{SERVER}timeout_s: 0\n", 4, "`timeout_s` is"),
        ("catalog/s.yaml", f"{SERVER}server_requests: [tools/call]\n", 4, "entry 1 of `server_requests`"),
        ("agents/a.yaml", "agent: a\nowner: o\npurpose: p\n", 1, "lacks `kind`"),
        ("agents/a.yaml", f"{AGENT}expires: tomorrow\n", 5, "`expires` is"),
        ("agents/a.yaml", f"{AGENT}expires: 2300-01-01T00:00:00Z\n", 5, "`expires` is"),
        ("agents/a.yaml", f"{AGENT}expires: 2026-02-30T00:00:00Z\n", 5, "`expires` is"),
        ("agents/a.yaml", f"{AGENT}tokens:\n  - {{sha256: 12, holder: h}}\n", 6, "wrong type"),
        ("agents/a.yaml", f"{AGENT}identities:\n  - {{issuer: https://i}}\n", 6, "entry 1 of `identities`"),
        ("agents/a.yaml", f"{AGENT}identities:\n  - {{issuer: https://i, group: g, name: s}}\n", 6, "`name` is not"),
        ("agents/a.yaml", f"{AGENT}identities:\n  - {{issuer: https://i, group: g, subject: ''}}\n", 6, "`subject` is"),
        ("agents/a.yaml", "agents:\n  - agent: a\n    owner: o\n", 2, "lacks `purpose`"),
        ("rules/r.yaml", "rules: []\n", 1, "`rules` is empty"),
        ("rules/r.yaml", "rules:\n  - effect: deny\n", 2, "lacks `rule`"),
        ("rules/r.yaml", "rules:\n  - rule: default\n    effect: deny\n", 2, "`rule` is"),
        ("rules/r.yaml", "rules:\n  - rule: r\n    effect: forbid\n", 3, "`effect` is"),
        ("rules/r.yaml", f"{RULE}    who: {{agent: [bot]}}\n", 4, "`agent` is not known here"),
        ("rules/r.yaml", f"{RULE}    who: {{agents: []}}\n", 4, "`agents` is empty"),
        ("rules/r.yaml", f"{RULE}    who: {{}}\n", 4, "`who` has 0 keys"),
        ("rules/r.yaml", f"{RULE}    what: {{tools: ['a[b]']}}\n", 4, "entry 1 of `tools`"),
        ("rules/r.yaml", f"{RULE}    what: {{actions: [sned]}}\n", 4, "entry 1 of `actions`"),
        ("rules/r.yaml", f"{RULE}    when: {{hours: 9-17}}\n", 4, "`hours` is"),
        ("rules/r.yaml", f"{RULE}    when: {{days: [Monday]}}\n", 4, "entry 1 of `days`"),
        ("rules/r.yaml", f"{RULE}    arguments: [{{path: channel, equals: 1}}]\n", 4, "`path` is"),
        ("rules/r.yaml", f"{RULE}    arguments: [{{path: /a}}]\n", 4, "1 keys"),
        ("rules/r.yaml", f"{RULE}    arguments: [{{path: /a, at_most: 1, equals: 2}}]\n", 4, "3 keys"),
        ("rules/r.yaml", f"{RULE}    arguments: [{{path: /a, at_most: many}}]\n", 4, "wrong type"),
        ("rules/r.yaml", f"{RULE}    mode: warn\n", 2, "lacks `owner`"),
        ("enforcement/e.yaml", "enforcement:\n  x: {mode: warn, owner: o, reason: r}\n", 2, "lacks `expires`"),
        ("enforcement/e.yaml", "enforcement:\n  x: {mode: off}\n", 2, "`mode` is"),
        ("scenarios/s.yaml", "scenarios:\n  - {scenario: x, agent: a, server: s, want: allow}\n", 2, "unknown form"),
        ("rules/r.yml", RULE, 0, "not a file of an environment"),
        ("rules/r.json", "{}", 0, "not a file of an environment"),
        ("rule/r.yaml", RULE, 0, "not a file of an environment"),
        ("more.yaml", "a: 1\n", 0, "not a file of an environment"),
    ],
)  # fmt: skip
def test_a_document_that_does_not_match_its_schema_is_refused(
    found: Found, put: Put, path: str, text: str, *, line: int, said: str
) -> None:
    put(f"bundles/dev/{path}", text)
    problems = found()
    assert (path, line) in told(problems), problems
    assert any(said in problem.what for problem in problems), problems
    assert all(problem.remedy for problem in problems), problems


@pytest.mark.parametrize(
    ("path", "text", "line", "said"),
    [
        ("environment.yaml", "name: prod\n", 1, "the directory is `dev`"),
        ("environment.yaml", "name: dev\ntime_zone: Europe/Zurch\n", 2, "Did you mean `Europe/Zurich`"),
        ("environment.yaml", "name: dev\nrequired: [server_is_liste]\n", 2, "Did you mean `server_is_listed`"),
        (
            "environment.yaml",
            'name: dev\nobserve: {owner: a, reason: b, expires: "2027-01-01T00:00:00Z"}\n',
            2,
            "more than 30 days",
        ),
        ("catalog/s.yaml", "server: files\nurl: http://x/\nowner: o\n", 1, "the server `files` is already defined in"),
        (
            "catalog/s.yaml",
            f"{SERVER}resources:\n  file:///a b: {{}}\n  file:///a%20b: {{}}\n",
            6,
            "the resource `file:///a%20b of s` is already defined in",
        ),
        ("catalog/s.yaml", f"{SERVER}resources:\n  file:///a/../b: {{}}\n", 5, "dot segment"),
        ("catalog/s.yaml", f"{SERVER}resources:\n  file:///a/../*: {{}}\n", 5, "dot segment"),
        ("catalog/s.yaml", f"{SERVER}resources:\n  file:///a/..%2Fb: {{}}\n", 5, "dot segment"),
        ("catalog/s.yaml", f"{SERVER}resources:\n  file:///*/a: {{}}\n", 5, "before its end"),
        ("catalog/s.yaml", f"{SERVER}check_output: true\nlarge_results: true\n", 4, "relays large results unread"),
        ("agents/z.yaml", "agent: bot\nowner: o\npurpose: p\nkind: k\n", 1, "the agent `bot` is already defined in"),
        ("agents/a.yaml", f"{AGENT}scope: {{servers: [fles]}}\n", 5, "no server is called `fles`"),
        (
            "agents/a.yaml",
            f"{AGENT}tokens:\n  - {{sha256: '{DIGEST}', holder: h}}\n  - {{sha256: '{DIGEST}', holder: i}}\n",
            7,
            "the token digest",
        ),
        ("agents/a.yaml", twins("anonymous: true"), 3, "the anonymous agent is already defined in"),
        ("agents/a.yaml", twins("identities: [{issuer: https://i, group: g}]"), 3, "the identity"),
        (
            "agents/a.yaml",
            twins("identities: [{group: g, issuer: https://i, subject: s}]"),
            3,
            "the identity `https://i subject s group g` is already defined in",
        ),
        (
            "agents/z.yaml",
            f"{AGENT}identities: [{{issuer: https://i, client_id: c, group: g}}, {{issuer: https://i, group: g}}]\n",
            5,
            "entry 2 of `identities` already leads to the agent",
        ),
        ("rules/z.yaml", "rules:\n  - {rule: bot-reads, effect: deny}\n", 2, "`bot-reads` is already defined"),
        ("rules/r.yaml", f"{RULE}    what: {{servers: [flies]}}\n", 4, "no server is called `flies`"),
        ("rules/r.yaml", f"{RULE}    what: {{servers: [git*]}}\n", 4, "no server is called `git*`"),
        ("rules/r.yaml", f"{RULE}    who: {{agents: [bott]}}\n", 4, "no agent is called `bott`"),
        ("rules/r.yaml", f"{RULE}    who: {{kinds: [claude_code]}}\n", 4, "no agent is of the kind `claude_code`"),
        ("rules/r.yaml", f'{RULE}    when: {{hours: "09:00-09:00"}}\n', 4, "start and end at the same time"),
        ("rules/r.yaml", f"{RULE}    when: {{days: [monday], time_zone: Mars/Base}}\n", 4, "time zone `Mars/Base`"),
        ("enforcement/e.yaml", warned("mail_is_knwn"), 2, "Did you mean `mail_is_known`"),
        ("enforcement/e.yaml", warned("server_is_listed"), 2, "always denies"),
        ("data/Hosts.yaml", "a: 1\n", 0, "not a valid name for data"),
        ("data/slack.yaml", "channel: x\ntoken: xoxb-123456789012-abcdef\n", 2, "a Slack token"),
        ("data/keys.yaml", "x:\n  - |\n    -----BEGIN EC PRIVATE KEY-----\n", 2, "a private key"),
        ("data/db.yaml", "dsn: postgres://admin:hunter2@db/x\n", 1, "a password in a URL"),
        ("data/api.yaml", "api_key: whatever\n", 1, "the value of a secret"),
        ("data/own.yaml", "x: mcpa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 1, "a token of this gateway"),
    ],
)  # fmt: skip
def test_a_contradiction_of_another_document_is_refused(
    found: Found, put: Put, path: str, text: str, *, line: int, said: str
) -> None:
    put(f"bundles/dev/{path}", text)
    problems = found()
    assert told(problems) == [(path, line)], problems
    assert any(said in str(problem) for problem in problems), problems


def test_enforcement_of_a_requirement_that_is_there_is_accepted(found: Found, put: Put) -> None:
    put("bundles/dev/enforcement/e.yaml", warned("mail_is_known"))
    assert found() == []


def test_a_secret_is_never_repeated_in_the_problem(found: Found, put: Put) -> None:
    put("bundles/dev/data/slack.yaml", "token: xoxb-123456789012-abcdef\n")
    assert "123456789012" not in str(found())


def test_all_problems_of_all_files_are_reported_at_once(found: Found, put: Put) -> None:
    put("bundles/dev/environment.yaml", "name: dev\ndefault: x\n")
    put("bundles/dev/rules/r.yaml", "rules:\n  - rule: X\n    effect: x\n")
    put("bundles/dev/agents/broken.yaml", "a: [\n")
    assert told(found()) == [
        ("agents/broken.yaml", 2),
        ("environment.yaml", 2),
        ("rules/r.yaml", 2),
        ("rules/r.yaml", 3),
    ]


def test_a_missing_environment_is_reported(policy: Path) -> None:
    problems = EnvironmentReader().read(policy, "production")
    assert isinstance(problems, list)
    assert [str(problem)[:36] for problem in problems] == ["bundles/production: does not exist. "]


def test_an_unreadable_file_is_reported(found: Found, policy: Path) -> None:
    (policy / "bundles/dev/rules/loop.yaml").symlink_to("loop.yaml")
    assert told(found()) == [("rules/loop.yaml", 0)]


def test_readme_files_and_those_of_git_are_not_documents(found: Found, put: Put) -> None:
    put("bundles/dev/README.md", "hello\n")
    put("bundles/dev/rules/.gitkeep", "\n")
    assert found() == []


def test_a_file_is_read_again_only_when_it_changed(policy: Path, put: Put) -> None:
    reader = EnvironmentReader()
    first = reader.read(policy, "dev")
    put("bundles/dev/environment.yaml", "name: dev\ndefault: allow\n")
    second = reader.read(policy, "dev")
    assert isinstance(first, Environment)
    assert isinstance(second, Environment)
    assert first.rules[0] is second.rules[0]
    assert second.settings.value["default"] == "allow"
