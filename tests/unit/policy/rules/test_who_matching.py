"""People in rules: networks in one form, claims that tokens can have, and the index by subject and client id."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.rules.cross_checks import CheckContext, contradictions
from gateway.policy.rules.names_used_in_rules import RuleNames, rule_names
from gateway.policy.rules.policy_data import bundle_data
from gateway.policy.rules.rule_index import rule_index
from gateway.policy.rules.who_matching import claim_path, comes_from, have
from gateway.policy.scenario_question import acting, asked, contradiction, question
from gateway.policy.sources.environment import Environment, EnvironmentReader
from gateway.policy.sources.problem import Problem

NOW = 1_795_000_000.0
Put = Callable[[str, str], Path]
ISSUER = "https://idp.example.com"


@pytest.fixture
def environment(policy: Path, put: Put) -> Callable[..., Environment | list[Problem]]:
    """Return the environment with a rule of this `who`."""

    def made(who: str, effect: str = "deny", settings: str = "", more: str = "") -> Environment | list[Problem]:
        put("bundles/dev/environment.yaml", f"name: dev\n{settings}\n")
        put(
            "bundles/dev/agents/people.yaml",
            f"agent: people\nowner: o\npurpose: p\nkind: k\nidentities: [{{issuer: {ISSUER}, group: g}}]\n",
        )
        put("bundles/dev/rules/r.yaml", f"rules:\n  - rule: r\n    effect: {effect}\n    who: {{{who}}}\n{more}")
        return EnvironmentReader().read(policy, "dev")

    return made


@pytest.fixture
def names(environment: Callable[..., Any]) -> Callable[..., RuleNames]:
    def looked(*words: str, **more: str) -> RuleNames:
        found = environment(*words, **more)
        assert isinstance(found, Environment), found
        return rule_names(found, NOW)

    return looked


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("subjects: []", "`subjects` is empty"),
        ("subjects: ['a#b']", "entry 1 of `subjects` is"),
        ("subjects: ['#b']", "entry 1 of `subjects` is"),
        ("subjects: ['https://idp.example#']", "entry 1 of `subjects` is"),
        ("subjects: ['ftp://idp.example#a']", "entry 1 of `subjects` is"),
        ("subjects: [7]", "wrong type"),
        ("client_ids: ['']", "entry 1 of `client_ids` is"),
        ("claims: {}", "`claims` has 0 keys"),
        ("claims: {department: []}", "`department` is empty"),
        ("claims: {department: sales}", "wrong type"),
        ("claims: {department: [[sales]]}", "wrong type"),
        ("claims: {department: [{a: 1}]}", "wrong type"),
        ("claims: {department: [null]}", "wrong type"),
        ("claims: {department: [a, a]}", "contains duplicates"),
        ("claims: {'': [a]}", "not accepted"),
        ("claims: {/: [a]}", "not accepted"),
        ("claims: {/a~2b: [a]}", "not accepted"),
        ("claims: {/a//b: [a]}", "not accepted"),
        ("claims: [department]", "wrong type"),
        ("source: 10.0.0.0/8", "wrong type"),
        ("source: []", "`source` is empty"),
        ("subject: [a]", "`subject` is not known here"),
        ("claim: {a: [b]}", "`claim` is not known here"),
        ("sources: [10.0.0.0/8]", "`sources` is not known here"),
    ],
)
def test_a_person_of_no_known_form_is_refused(environment: Callable[..., Any], who: str, said: str) -> None:
    problems: list[Problem] = environment(who)
    assert isinstance(problems, list)
    assert any(said in problem.what for problem in problems), problems
    assert all(problem.line == 4 and problem.remedy for problem in problems), problems


@pytest.mark.parametrize(
    ("text", "said", "remedy"),
    [
        ("10.1.2.3/8", "has bits set after its prefix: the network is `10.0.0.0/8`", "or `10.1.2.3/32`"),
        ("2001:db8::1/32", "has bits set after its prefix: the network is `2001:db8::/32`", "`2001:db8::1/128`"),
        ("10.1.2.3", "is an address, not a network", "`10.1.2.3/32`"),
        ("::1", "is an address, not a network", "`::1/128`"),
        ("10.0.0.0/255.0.0.0", "has no prefix length", "`10.0.0.0/8`"),
        ("10.0.0.0/0.255.255.255", "has no prefix length", "`10.0.0.0/8`"),
        ("2001:DB8::/32", "is not the canonical form", "`2001:db8::/32`"),
        ("2001:db8:0:0::/32", "is not the canonical form", "`2001:db8::/32`"),
        ("10.0.0.0/08", "is not the canonical form", "`10.0.0.0/8`"),
        ("::ffff:10.0.0.0/104", "is a network of IPv4 addresses", "`10.0.0.0/8`"),
        ("::ffff:10.1.2.3/128", "is a network of IPv4 addresses", "`10.1.2.3/32`"),
        ("10.0.0.0/33", "is not a network", "10.1.0.0/16"),
        ("010.0.0.0/8", "is not a network", "10.1.0.0/16"),
        ("10.0.0/8", "is not a network", "10.1.0.0/16"),
        ("10.*", "is not a network", "10.1.0.0/16"),
        ("office", "is not a network", "10.1.0.0/16"),
        ("fe80::%eth0/64", "is not a network", "10.1.0.0/16"),
    ],
)  # fmt: skip
def test_a_network_of_another_form_is_named(environment: Callable[..., Any], text: str, said: str, remedy: str) -> None:
    found = environment(f"source: ['192.0.2.0/24', '{text}']")
    (problem,) = contradictions(found, CheckContext(None, NOW))
    assert (problem.file, problem.line) == ("bundles/dev/rules/r.yaml", 4)
    assert f"`{text}` {said}" in problem.what
    assert remedy in problem.remedy


def test_networks_in_their_usual_form_are_accepted(environment: Callable[..., Any]) -> None:
    found = environment("source: [10.0.0.0/8, 192.0.2.1/32, 0.0.0.0/0, '::/0', '2001:db8::/32', '::1/128']")
    assert contradictions(found, CheckContext(None, NOW)) == []


def test_people_that_no_identity_has_are_accepted(names: Callable[..., RuleNames]) -> None:
    people = "subjects: [alice, 'https://other.example.net#bob'], client_ids: [x], claims: {cost_center: [7]}"
    assert names(people) == RuleNames([], [])


@pytest.mark.parametrize(
    ("who", "said", "remedy"),
    [
        (f"subjects: ['{ISSUER}x#alice']", f"no identity has the issuer `{ISSUER}x`", f"Did you mean `{ISSUER}`?"),
        (f"client_ids: ['{ISSUER}/#ide']", f"no identity has the issuer `{ISSUER}/`", f"Did you mean `{ISSUER}`?"),
        ("claims: {departmnt: [a]}", "no claim is called `departmnt`", "Did you mean `department`?"),
        ("claims: {/realm_acess/roles: [a]}", "no claim is called", "Did you mean `/realm_access`?"),
        ("claims: {sub: [a]}", "rules cannot use the claim", "Use `subjects`."),
        ("claims: {/azp: [a]}", "rules cannot use the claim", "Use `client_ids`."),
        ("claims: {scope: [a]}", "rules cannot use the claim", "Remove it."),
        ("claims: {realm_access.roles: [a]}", "has dots in its name", "Write `/realm_access/roles`"),
    ],
)  # fmt: skip
def test_names_that_no_token_has_are_reported(
    names: Callable[..., RuleNames], who: str, said: str, remedy: str
) -> None:
    for effect in ("deny", "allow"):
        found = names(who, effect)
        (problem,) = found.problems if effect == "deny" else found.warnings
        assert said in problem.what
        assert remedy in problem.remedy
        assert problem.line == 4


@pytest.mark.parametrize(
    "name", ["department", "roles", "role", "groups", "/realm_access/roles", "https://x.example/roles", "/a.b", "a/b.c"]
)
def test_usual_and_explicit_claims_are_accepted(names: Callable[..., RuleNames], name: str) -> None:
    assert names(f"claims: {{'{name}': [a]}}") == RuleNames([], [])


def test_two_claims_of_nearly_the_same_name_are_reported_until_they_are_listed(names: Callable[..., RuleNames]) -> None:
    more = "  - {rule: s, effect: deny, who: {claims: {cost_centre: [a]}}}\n"
    assert len(names("claims: {cost_center: [a]}", more=more).problems) == 2
    listed = "claims: [cost_center, cost_centre]"
    assert names("claims: {cost_center: [a]}", more=more, settings=listed) == RuleNames([], [])


def test_if_the_environment_lists_claims_another_one_is_unknown(names: Callable[..., RuleNames]) -> None:
    found = names("claims: {department: [a]}", settings="claims: [level]")
    (problem,) = found.problems
    assert (problem.what, "`claims` in environment.yaml" in problem.remedy) == (
        "no claim is called `department`.",
        True,
    )
    assert names("claims: {realm_access.roles: [a]}", settings="claims: [realm_access.roles]") == RuleNames([], [])


def carried(who: dict[str, Any], effect: str) -> dict[str, Any]:
    return {"effect": effect, "who": who, "what": {}, "when": None, "arguments": [], "mode": None, "expires": None}


def keys(who: dict[str, Any], effect: str = "deny") -> set[str]:
    index = rule_index({"r": carried(who, effect)}, {})
    return {key for key, leaf in index["*"]["read"].items() if leaf["allow"] or leaf["look"]}


def test_rules_by_subject_and_client_are_found_by_key() -> None:
    assert keys({"subjects": ["a", f"{ISSUER}#b"]}) == {"subject:a", f"subject:{ISSUER}#b", "unknown:subject"}
    assert keys({"client_ids": ["a"]}, "hold") == {"client_id:a", "unknown:client_id"}
    assert keys({"subjects": ["a"]}, "allow") == {"subject:a"}
    assert keys({"labels": ["l"], "subjects": ["a"]}) == {"label:l"}
    assert keys({"claims": {"a": ["b"]}}) == keys({"source": ["10.0.0.0/8"]}) == {"any"}
    assert keys({"claims": {"a": ["b"]}, "subjects": ["a"]}, "allow") == {"subject:a"}


@pytest.mark.parametrize("who", [{"claims": {"a": ["b"]}}, {"source": ["10.0.0.0/8"]}])
def test_a_permission_by_claims_or_network_is_never_settled_by_the_index(who: dict[str, Any]) -> None:
    assert rule_index({"r": carried(who, "allow")}, {})["*"]["read"]["any"] == {"allow": [], "look": {"r": None}}


@pytest.mark.parametrize(
    ("who", "people"), [("subjects: [a]", True), ("client_ids: [a]", True), ("claims: {a: [b]}", False)]
)
def test_the_bundle_says_whether_rules_are_found_by_person(
    environment: Callable[..., Any], who: str, *, people: bool
) -> None:
    data = bundle_data(environment(who, settings="claims: [a]"), {})
    assert data["index"]["people"] is people
    assert "claims" not in data["environment"]


AGENT = {
    "identities": [
        {"issuer": "https://a", "subject": "alice"},
        {"issuer": "https://b", "group": "staff"},
    ],
    "tokens": [{"sha256": "0" * 64, "holder": "h"}],
}


def stated(**entry: Any) -> Any:
    return asked({"agent": "x", "server": "s", "tool": "t", **entry}, now=NOW)


def test_a_question_states_the_token_and_the_address_of_its_caller() -> None:
    claims = {"department": "sales"}
    one = stated(principal={"subject": "bob", "client_id": "ide", "claims": claims}, **{"from": "::ffff:10.1.2.3"})
    principal = acting(one, {"x": AGENT}).principal
    assert (principal.method, principal.issuer, principal.subject) == ("jwt", "https://b", "bob")
    assert (principal.client_id, principal.claims, principal.groups) == ("ide", claims, ["staff"])
    data: dict[str, Any] = {"catalog": {"targets": {}}}
    assert question(one, acting(one, {"x": AGENT}), data).context.source_ip == "10.1.2.3"
    assert acting(stated(), {"x": AGENT}).principal.method == "token"
    assert acting(stated(principal={"issuer": "https://a"}), {"x": AGENT}).principal.subject == "alice"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"principal": {"issuer": "https://c"}}, "no identity of the agent `x` matches it"),
        ({"principal": {"issuer": "https://a", "subject": "bob"}}, "no identity of the agent `x` matches it"),
        ({"principal": {"subject": "bob"}, "unknown": ["subject"]}, "states `subject`, but also lists it as unknown"),
        ({"principal": {"claims": {"sub": "a"}}}, "has the claim `sub`"),
        ({"principal": {"subject": "bob"}}, ""),
    ],
)
def test_a_token_that_the_agent_cannot_have_is_said(entry: dict[str, Any], said: str) -> None:
    found = contradiction(stated(**entry), {"x": AGENT})
    assert said in found
    assert bool(found) == bool(said)
    assert not entry["principal"].get("subject") or contradiction(stated(**entry), {"x": {"tokens": AGENT["tokens"]}})


def test_claims_and_networks_are_compared_for_proposals() -> None:
    assert claim_path("/a~1b/c~0d") == ("a/b", "c~d")
    assert have({"a": {"b": ["x"]}, "c": 7}, {"/a/b": ["x"], "c": [7]})
    assert not have({"a": "y"}, {"a": ["x"]})
    assert comes_from("10.1.2.3", ["192.0.2.0/24", "10.0.0.0/8"])
    assert not comes_from("", ["10.0.0.0/8"])
