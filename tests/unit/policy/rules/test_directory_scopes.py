"""A rule beyond the scope of its directory is refused, also if it omits fields or is behind a link."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.rules.directory_scopes import beyond_scopes, contains
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.problem import Problem, Problems

NOW = 1_795_000_000.0
Put = Callable[[str, str], Path]
Look = Callable[[], list[Problem]]
Within = Callable[..., list[Problem]]

SERVERS = ("crm-db", "crm-mail", "hr")
AGENTS = """
agents:
  - {agent: clerk, owner: a@x.example, purpose: p, kind: own, identities: [{issuer: "https://i.example", group: sales}]}
  - {agent: root, owner: a@x.example, purpose: p, kind: own, identities: [{issuer: "https://i.example", group: board}]}
"""
RULES = "bundles/dev/rules"
SCOPE = f"{RULES}/crm/scope.yaml"


@pytest.fixture
def look(policy: Path, put: Put) -> Look:
    """Return the problems of the environment."""
    for server in SERVERS:
        tag = "sales" if server.startswith("crm") else "people"
        put(
            f"bundles/dev/catalog/{server}.yaml",
            f"server: {server}\nurl: http://x/\nowner: a@example.com\ntags: [{tag}]\ntools: {{t: {{action: read}}}}\n",
        )
    put("bundles/dev/agents/more.yaml", AGENTS)

    def looked() -> list[Problem]:
        found = EnvironmentReader().read(policy, "dev")
        return list(beyond_scopes(found)) if isinstance(found, Environment) else found

    return looked


@pytest.fixture
def within(look: Look, put: Put) -> Within:
    """Return the problems of one rule in the directory `crm`."""

    def looked(scope: str, rule: str, effect: str = "deny") -> list[Problem]:
        put(SCOPE, f"team: crm\n{scope}\n")
        put(f"{RULES}/crm/r.yaml", f"rules:\n  - rule: r\n    effect: {effect}\n    {rule}\n")
        return look()

    return looked


@pytest.mark.parametrize(
    ("scope", "rule"),
    [
        ("servers: [crm-*]", "what: {servers: [crm-db]}"),
        ("servers: [crm-*]", "what: {servers: [crm-*, crm-d*, crm-??]}"),
        ("servers: [crm-db, crm-mail]", "what: {servers: [crm-mail, crm-db], actions: [read]}"),
        ("servers: ['*']", "what: {servers: ['*']}"),
        ("server_tags: [sales]", "what: {server_tags: [sales]}"),
        ("actions: [read, list]", "what: {actions: [list]}"),
        ("agents: [clerk]", "who: {agents: [clerk], kinds: [own]}"),
        ("groups: [sales]", "who: {groups: [sales], agents: [root]}"),
        ("effects: [deny]", "what: {servers: [hr]}"),
        (
            "effects: [hold, deny]\nservers: [crm-*]\ngroups: [sales]",
            "who: {groups: [sales]}\n    what: {servers: [crm-db]}",
        ),
    ],
)
def test_a_rule_inside_its_scope_is_accepted(within: Within, scope: str, rule: str) -> None:
    assert within(scope, rule) == []


@pytest.mark.parametrize(
    ("scope", "rule", "line", "said"),
    [
        ("servers: [crm-*]", "what: {servers: [hr]}", 4, "names the server `hr`; its scope permits only `crm-*`"),
        ("servers: [crm-*]", "what: {servers: [crm-db, hr]}", 4, "names the server `hr`"),
        ("servers: [crm-*]", "what: {servers: ['*']}", 4, "names the server `*`"),
        ("servers: [crm-*]", "what: {servers: ['crm*']}", 4, "names the server `crm*`"),
        ("servers: [crm-*]", "what: {servers: ['*-db']}", 4, "names the server `*-db`"),
        ("servers: [crm-*]", "what: {servers: ['???-*']}", 4, "names the server `???-*`"),
        ("servers: [crm-db]", "what: {servers: ['crm-d?']}", 4, "names the server `crm-d?`"),
        ("servers: [crm-*]", "what: {server_tags: [sales]}", 4, "omits `servers`, which means every server"),
        ("servers: [crm-*]", "reason: all", 2, "omits `servers`, which means every server"),
        ("server_tags: [sales]", "what: {server_tags: [sales, people]}", 4, "names the tag of servers `people`"),
        ("server_tags: [sales]", "what: {servers: [crm-db]}", 4, "omits `server_tags`"),
        ("actions: [read]", "what: {actions: [read, send]}", 4, "names the action `send`"),
        ("actions: [read]", "what: {tools: [t]}", 4, "omits `actions`, which means every action"),
        ("agents: [clerk]", "who: {agents: [root]}", 4, "names the agent `root`"),
        ("agents: [clerk]", "who: {groups: [sales]}", 4, "omits `agents`, which means every agent"),
        ("agents: [clerk]", "who: {kinds: [own]}", 4, "omits `agents`"),
        ("groups: [sales]", "who: {groups: [board]}", 4, "names the group `board`"),
        ("groups: [sales]", "who: {agents: [clerk]}", 4, "omits `groups`, which means callers of any group"),
        ("effects: [allow]", "what: {servers: [hr]}", 3, "has the effect deny, but its scope permits only `allow`"),
    ],
)  # fmt: skip
def test_a_rule_beyond_its_scope_is_refused(within: Within, scope: str, rule: str, line: int, said: str) -> None:
    (problem,) = within(scope, rule)
    assert (problem.file, problem.line) == (f"{RULES}/crm/r.yaml", line)
    assert f"the rule `r` {said}" in problem.what
    assert f"(team crm, {SCOPE}:2)" in problem.remedy


@pytest.mark.parametrize("effect", ["allow", "deny", "hold"])
def test_a_scope_limits_every_effect(within: Within, effect: str) -> None:
    assert within("servers: [crm-*]", "what: {servers: [hr]}", effect)
    assert not within("servers: [crm-*]", "what: {servers: [crm-db]}", effect)


def test_a_scope_counts_in_all_directories_below_it_and_in_no_other(look: Look, put: Put) -> None:
    put(SCOPE, "team: crm\nservers: [crm-*]\n")
    for number, place in enumerate(("free.yaml", "crmx/r.yaml", "other/crm/r.yaml", "crm.yaml")):
        put(f"{RULES}/{place}", f"rules: [{{rule: free-{number}, effect: deny, what: {{servers: [hr]}}}}]\n")
    assert look() == []
    put(f"{RULES}/crm/a/b/r.yaml", "rules: [{rule: deep, effect: deny, what: {servers: [hr]}}]\n")
    assert [problem.file for problem in look()] == [f"{RULES}/crm/a/b/r.yaml"]


def test_a_scope_inside_another_narrows_it(look: Look, put: Put) -> None:
    put(SCOPE, "team: crm\nservers: [crm-*]\nactions: [read]\n")
    put(f"{RULES}/crm/mail/scope.yaml", "team: mail\nservers: [crm-mail]\n")
    put(f"{RULES}/crm/mail/r.yaml", "rules: [{rule: r, effect: deny, what: {servers: [crm-mail], actions: [read]}}]\n")
    assert look() == []
    put(f"{RULES}/crm/mail/r.yaml", "rules: [{rule: r, effect: deny, what: {servers: [crm-db], actions: [read]}}]\n")
    assert [problem.what for problem in look()] == [
        "the rule `r` names the server `crm-db`; its scope permits only `crm-mail`."
    ]
    put(f"{RULES}/crm/mail/r.yaml", "rules: [{rule: r, effect: deny, what: {servers: [crm-mail]}}]\n")
    (problem,) = look()
    assert "omits `actions`" in problem.what
    assert "team crm" in problem.remedy


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("servers: [hr]", "the server `hr`"),
        ("servers: ['*']", "the server `*`"),
        ("agents: [root]", "the agent `root`"),
        ("effects: [deny, allow]", "the effect `allow`"),
    ],
)
def test_a_scope_that_lists_more_than_the_one_around_it_is_refused(look: Look, put: Put, inner: str, said: str) -> None:
    put(SCOPE, "team: crm\nservers: [crm-*]\nagents: [clerk]\neffects: [deny]\n")
    put(f"{RULES}/crm/in/scope.yaml", f"team: in\n{inner}\n")
    (problem,) = look()
    assert (problem.file, problem.line) == (f"{RULES}/crm/in/scope.yaml", 2)
    assert f"lists {said}, which the outer scope does not permit" in problem.what


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("rules/crm/scope.yaml", "", "is empty"),
        ("rules/crm/scope.yaml", "# nothing yet\n", "is empty"),
        ("rules/crm/scope.yaml", "{}\n", "lacks `team`"),
        ("rules/crm/scope.yaml", "team: crm\n", "has 1 keys"),
        ("rules/crm/scope.yaml", "team: ''\nservers: [hr]\n", "`team` is"),
        ("rules/crm/scope.yaml", "servers: [hr]\n", "lacks `team`"),
        ("rules/crm/scope.yaml", "team: crm\nservers: []\n", "`servers` is empty"),
        ("rules/crm/scope.yaml", "team: crm\nserver: [hr]\n", "`server` is not known here"),
        ("rules/crm/scope.yaml", "team: crm\ntags: [people]\n", "`tags` is not known here"),
        ("rules/crm/scope.yaml", "team: crm\neffects: [forbid]\n", "entry 1 of `effects`"),
        ("rules/crm/scope.yaml", "team: crm\nservers: ['crm-[ab]']\n", "entry 1 of `servers`"),
        ("rules/crm/scope.yaml", "rules: [{rule: r, effect: deny}]\n", "`rules` is not known here"),
        ("rules/crm/scope.yaml", "team: crm\nservers: [hrr]\n", "no server is called `hrr`"),
        ("rules/crm/scope.yaml", "team: crm\nserver_tags: [peple]\n", "no server has the tag `peple`"),
        ("rules/crm/scope.yaml", "team: crm\nagents: [clrk]\n", "no agent is called `clrk`"),
        ("rules/crm/scope.yaml", "team: crm\ngroups: [salse]\n", "no group is called `salse`"),
        ("rules/crm/scope.yml", "team: crm\nservers: [hr]\n", "its suffix is `.yml`"),
        (
            "rules/crm/scopes.yaml",
            "team: crm\nservers: [hr]\n",
            "has the content of a scope file, which must be named `scope.yaml`",
        ),
        (
            "rules/crm/Scope.yaml",
            "team: crm\nservers: [hr]\n",
            "has the content of a scope file, which must be named `scope.yaml`",
        ),
        ("rules/crm/limits.yaml", "team: crm\n", "has the content of a scope file, which must be named `scope.yaml`"),
        ("rules/scope.yaml", "team: crm\nservers: [hr]\n", "a scope belongs in a directory below rules/"),
        ("rules/scopes.yml", "team: crm\nservers: [hr]\n", "a scope belongs in a directory below rules/"),
        ("scope.yaml", "team: crm\nservers: [hr]\n", "a scope belongs in a directory below rules/"),
        ("agents/crm/scope.yaml", "team: crm\nservers: [hr]\n", "`team` is not known here"),
        ("catalog/scope.yaml", "team: crm\nservers: [hr]\n", "`team` is not known here"),
        ("rules/crm/.scope.yaml", "team: crm\nservers: [hr]\n", "its name starts with a dot"),
    ],
)
def test_a_scope_without_limits_is_refused(look: Look, put: Put, path: str, text: str, said: str) -> None:
    put(f"bundles/dev/{path}", text)
    problems = look()
    assert any(said in problem.what for problem in problems), problems
    assert all(problem.remedy and problem.file == f"bundles/dev/{path}" for problem in problems), problems


def test_an_unknown_name_in_a_scope_comes_with_the_nearest_one(look: Look, put: Put) -> None:
    put(SCOPE, "team: crm\nagents:\n- clerk\n- clrk\n")
    (problem,) = look()
    assert (problem.file, problem.line, problem.remedy) == (SCOPE, 4, "Did you mean `clerk`?")
    put(SCOPE, "team: crm\nagents: [somebody-else]\n")
    assert "not_yet" not in look()[0].remedy


def test_a_link_cannot_carry_a_rule_past_a_scope(look: Look, policy: Path, put: Put) -> None:
    put("shared/crm/scope.yaml", "team: crm\nservers: [crm-*]\n")
    put("shared/crm/deep/r.yaml", "rules: [{rule: linked, effect: deny, what: {servers: [hr]}}]\n")
    rules = policy / RULES
    link = rules / "link"
    for target, path in (("shared/crm/deep", "link/r.yaml"), ("shared/crm/deep/r.yaml", "link.yaml")):
        place = link if path == "link/r.yaml" else rules / "link.yaml"
        place.symlink_to(policy / target)
        (problem,) = look()
        assert problem.file == f"{RULES}/{path}"
        assert (
            problem.what
            == "is behind a link, and the scope shared/crm/scope.yaml of its target does not apply to the link."
        )
        place.unlink()
    link.symlink_to(policy / "shared/crm")
    (problem,) = look()
    assert (problem.file, "`hr`" in problem.what) == (f"{RULES}/link/deep/r.yaml", True)


@pytest.mark.parametrize("name", ["scope.yaml", "scope.yml", "scopes.yaml", "scopes.yml"])
def test_a_link_to_all_rules_cannot_lead_past_a_scope(look: Look, policy: Path, put: Put, name: str) -> None:
    put(f"shared/{name}", "team: crm\nservers: [crm-*]\n")
    put("shared/rules/r.yaml", "rules: [{rule: linked, effect: deny, what: {servers: [hr]}}]\n")
    for file in (policy / RULES).iterdir():
        file.unlink()
    (policy / RULES).rmdir()
    (policy / RULES).symlink_to(policy / "shared/rules")
    (problem,) = look()
    assert problem.what == f"is behind a link, and the scope shared/{name} of its target does not apply to the link."


def test_a_rule_behind_a_link_into_a_scope_has_that_scope(look: Look, policy: Path, put: Put) -> None:
    put(SCOPE, "team: crm\nservers: [crm-*]\n")
    shared = put("shared/r.yaml", "rules: [{rule: linked, effect: deny, what: {servers: [hr]}}]\n")
    (policy / RULES / "crm/r.yaml").symlink_to(shared)
    (problem,) = look()
    assert (problem.file, "`hr`" in problem.what) == (f"{RULES}/crm/r.yaml", True)


def test_a_scope_that_is_a_link_to_another_directory_is_refused(look: Look, policy: Path, put: Put) -> None:
    wide = put("shared/wide.yaml", "team: crm\nservers: ['*']\n")
    (policy / RULES / "crm").mkdir()
    (policy / SCOPE).symlink_to(wide)
    (problem,) = look()
    assert (problem.file, problem.what) == (SCOPE, "is a link to a file in another directory.")


def test_a_scope_in_a_volume_of_kubernetes_counts(look: Look, policy: Path, put: Put) -> None:
    volume = "..2026_11_20_10_00_00.123456789"
    put(f"{RULES}/crm/{volume}/scope.yaml", "team: crm\nservers: [crm-*]\n")
    put(f"{RULES}/crm/{volume}/r.yaml", "rules: [{rule: r, effect: deny, what: {servers: [crm-db]}}]\n")
    directory = policy / RULES / "crm"
    (directory / "..data").symlink_to(volume)
    for name in ("scope.yaml", "r.yaml"):
        (directory / name).symlink_to(f"..data/{name}")
    assert look() == []
    put(f"{RULES}/crm/{volume}/r.yaml", "rules: [{rule: r, effect: deny, what: {servers: [hr]}}]\n")
    assert [problem.file for problem in look()] == [f"{RULES}/crm/r.yaml"]


def test_the_bundle_carries_the_team_of_each_rule(policy: Path, builder: Builder, put: Put) -> None:
    put(SCOPE, "team: crm\neffects: [deny, hold]\n")
    put(f"{RULES}/crm/in/scope.yaml", "team: inner\neffects: [deny]\n")
    put(f"{RULES}/crm/r.yaml", "rules: [{rule: r, effect: deny, reason: r}]\n")
    put(f"{RULES}/crm/in/r.yaml", "rules: [{rule: s, effect: deny, reason: r}]\n")
    content = builder.content(PolicySource(policy, "dev"), NOW)
    assert isinstance(content, Content), content
    teams = {name: rule.get("team") for name, rule in content.data["rules"].items()}
    assert teams == {"bot-reads": None, "r": "crm", "s": "inner"}
    assert "team" not in content.data["rules"]["bot-reads"]


def test_a_rule_beyond_its_scope_refuses_the_build(policy: Path, builder: Builder, put: Put) -> None:
    put(SCOPE, "team: crm\neffects: [deny]\n")
    put(f"{RULES}/crm/r.yaml", "rules: [{rule: r, effect: allow}]\n")
    refused = builder.content(PolicySource(policy, "dev"), NOW)
    assert isinstance(refused, Problems)
    assert ["has the effect allow" in problem.what for problem in refused.problems] == [True]


@pytest.mark.parametrize(
    ("outer", "inner", "holds"),
    [
        ("*", "*", True), ("*", "a?*", True), ("a*", "a*b", True), ("a*", "*", False), ("a?", "a*", False),
        ("a?", "a?", True), ("a?", "ab", True), ("a?", "a", False), ("*a*", "bab", True), ("*a*", "b*b", False),
        ("a", "a", True), ("a", "A", False), ("a*b", "a?b", True), ("a*b", "a*", False), ("?*", "a*", True),
    ],
)  # fmt: skip
def test_a_glob_contains_another_if_its_text_shows_it(outer: str, inner: str, *, holds: bool) -> None:
    assert contains(outer, inner) is holds
