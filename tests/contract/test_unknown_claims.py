"""Tokens with a claim less, from their signature to what the gateway enforces: unknown never permits more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import Principal, Verified
from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.authenticator import Authenticator
from gateway.identity.issuer import Issuer
from gateway.identity.protected_resource import Resource
from gateway.policy.build import Content
from gateway.policy.packed_bundle_answers import Ruled, ScenarioOpa
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking, failed
from gateway.policy.scenario_question import ActingCaller, asked, question
from tests.property.tokens import ISSUER, NOW, Presented, presented
from tests.unit.identity.support import EC, Published, jwk

Write = Callable[[str, str], Path]
GATEWAY: Final = "https://gateway.example"
SERVER: Final = "a"
RANK: Final = {"deny": 0, "hold": 1, "allow": 2}
CATALOG: Final = """
    server: a
    url: http://127.0.0.1:1/mcp
    owner: o
    tools: {read_it: {action: read}, write_it: {action: write}, send_it: {action: send}}
    """
AGENTS: Final = f"""
    agents:
      - {{agent: alice, owner: o, purpose: p, kind: narrow, identities: [{{issuer: {ISSUER}, subject: alice}}]}}
      - {{agent: interns, owner: o, purpose: p, kind: narrow,
         identities: [{{issuer: {ISSUER}, client_id: ide, group: /company/interns}}]}}
      - {{agent: ide, owner: o, purpose: p, kind: wide, identities: [{{issuer: {ISSUER}, client_id: ide}}]}}
      - {{agent: staff, owner: o, purpose: p, kind: wide, identities: [{{issuer: {ISSUER}, group: staff}}]}}
    """
RULES: Final = """
    rules:
      - {rule: all-read, effect: allow, what: {servers: [a], actions: [read]}}
      - {rule: wide-write, effect: allow, who: {kinds: [wide]}, what: {servers: [a], actions: [write]},
         reason: They keep notes., owner: o}
      - {rule: staff-send, effect: allow, who: {groups: [staff]}, what: {servers: [a], actions: [send]},
         reason: Staff answer customers., owner: o}
      - {rule: no-contractors, effect: deny, who: {groups: [contractors]}, what: {servers: [a], actions: [write]},
         reason: Contractors write nothing.}
      - {rule: interns-wait, effect: hold, who: {groups: [/company/interns]}, what: {servers: [a], actions: [send]},
         reason: A person looks first.}
    """


@pytest.fixture
def bundle(put: Write, content: Callable[[], Content], opa: Path) -> tuple[Content, ScenarioOpa]:
    """The policy of this file, and the real OPA that has loaded it."""
    for path, text in (("catalog/a", CATALOG), ("agents/people", AGENTS), ("rules/people", RULES)):
        put(f"bundles/dev/{path}.yaml", text)
    made = content()
    return made, asking(made, OpaCommand(opa), [])


async def verified(token: Presented, claims: dict[str, Any]) -> Verified | Unauthenticated:
    published = Published(jwk(EC, alg="ES256"))

    async def fetch(url: str) -> bytes | None:
        assert url == token.issuer.keys_url
        return published.document

    identity = Authenticator(Resource(GATEWAY, [token.issuer]), [token.issuer], anonymous=False, fetch=fetch)
    signed = jwt.encode(claims, EC, algorithm="ES256", headers={"kid": "1"})
    try:
        return await identity.verify([(b"authorization", f"Bearer {signed}".encode())], SERVER, NOW)
    finally:
        await identity.close()


def stated(caller: Principal, tool: str, content: Content) -> PolicyInput:
    entry = {"agent": "-", "server": SERVER, "tool": tool}
    return question(asked(entry, now=NOW), ActingCaller(caller, ""), content.data)


async def ruled(
    documents: list[tuple[Presented, dict[str, Any]]], tool: str, bundle: tuple[Content, ScenarioOpa]
) -> list[Ruled | None]:
    """Return what the gateway makes of each token's call; None where the token itself is refused."""
    made, asks = bundle
    callers = [await verified(token, claims) for token, claims in documents]
    questions = [stated(each.principal, tool, made) for each in callers if isinstance(each, Verified)]
    answers = iter(asks.rulings(questions))
    return [next(answers) if isinstance(each, Verified) else None for each in callers]


def outcome(found: Ruled | None) -> str:
    return "deny" if found is None else found.enforced.outcome


@pytest.mark.parametrize("tool", ["read_it", "write_it", "send_it"])
async def test_a_claim_less_permits_no_call_that_was_refused(tool: str, bundle: tuple[Content, ScenarioOpa]) -> None:
    tokens: list[Presented] = []

    @settings(
        max_examples=30,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
        database=None,
    )
    @given(presented())
    def draw(token: Presented) -> None:
        tokens.append(token)

    draw()
    documents = [(token, claims) for token in tokens for claims in (token.claims, *token.lesser())]
    before, seen = 0, set[tuple[str, str]]()
    whole = ""
    for (token, claims), found in zip(documents, await ruled(documents, tool, bundle), strict=True):
        now = outcome(found)
        if claims is token.claims:
            before, whole = RANK[now], now
        seen.add((whole, now))
        assert RANK[now] <= before, (token, claims, found)
    assert {("allow", "allow"), ("allow", "deny"), ("deny", "deny")} <= seen


def token_of(groups: Any, **more: Any) -> Presented:
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": f"{GATEWAY}/servers/a/mcp",
        "exp": NOW + 600,
        "sub": "bob",
        "client_id": "cli",
    }
    claims |= {"groups": groups, **more}
    named = {name: value for name, value in claims.items() if value is not ...}
    return Presented(Issuer(issuer=ISSUER, keys_url=f"{ISSUER}/keys"), named, ("groups",), ())


async def said(token: Presented, tool: str, bundle: tuple[Content, ScenarioOpa]) -> tuple[str, str]:
    (found,) = await ruled([(token, token.claims)], tool, bundle)
    assert found is not None
    return found.enforced.outcome, " ".join(reason.message for reason in found.enforced.reasons)


@pytest.mark.parametrize("groups", [..., None, "staff,contractors", [{"name": "staff"}], {"staff": True}])
async def test_the_reason_names_the_claim_and_what_to_fix(groups: Any, bundle: tuple[Content, ScenarioOpa]) -> None:
    told, why = await said(token_of(groups, sub="alice", client_id="ide"), "read_it", bundle)
    assert (told, why) == ("allow", "")
    told, why = await said(token_of(groups, sub="bob", client_id="ide"), "write_it", bundle)
    assert told == "deny"
    assert "The groups could not be read from the token" in why
    assert "`groups_claim`" in why


async def test_a_denied_group_is_denied_and_others_are_not(bundle: tuple[Content, ScenarioOpa]) -> None:
    assert (await said(token_of(["staff"]), "write_it", bundle))[0] == "allow"
    assert (await said(token_of([]), "write_it", bundle))[0] == "deny"
    told, why = await said(token_of(["staff", "contractors"]), "write_it", bundle)
    assert (told, "Contractors write nothing." in why) == ("deny", True)
    assert "could not be read" not in why


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("groups", {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph"}}}),
        ("groups", {"hasgroups": True}),
        ("realm_access.roles", {"roles": ["staff"]}),
        ("resource_access.my.app.roles", {"resource_access": {"my.app": {"roles": ["staff"]}}}),
    ],
)
async def test_groups_that_an_issuer_keeps_elsewhere_restrict(
    name: str, more: dict[str, Any], bundle: tuple[Content, ScenarioOpa]
) -> None:
    claims = token_of(..., sub="alice", client_id="cli", **more).claims
    token = Presented(Issuer(issuer=ISSUER, keys_url=f"{ISSUER}/keys", groups_claim=name), claims, ("groups",), ())
    assert (await said(token, "read_it", bundle))[0] == "allow"
    told, why = await said(token, "send_it", bundle)
    assert told == "deny"
    assert "The groups could not be read from the token" in why


def test_a_scenario_may_leave_claims_unknown(put: Write, content: Callable[[], Content], opa: Path) -> None:
    for path, text in (("catalog/a", CATALOG), ("agents/people", AGENTS), ("rules/people", RULES)):
        put(f"bundles/dev/{path}.yaml", text)
    wide = "agent: ide, server: a, tool: write_it"
    put(
        "bundles/dev/scenarios/demo.yaml",
        f"""
        scenarios:
          - {{scenario: known, {wide}, want: allow}}
          - {{scenario: unknown, {wide}, unknown: [groups], want: deny, because: agent_is_registered}}
          - {{scenario: read, agent: alice, server: a, tool: read_it, unknown: [groups, client_id], want: allow}}
          - {{scenario: both, {wide}, groups: [x], unknown: [groups], want: deny}}
          - {{scenario: no JWT, agent: dev, server: a, tool: read_it, unknown: [scopes], want: deny}}
        """,
    )
    first, second = failed(content(), OpaCommand(opa), NOW)
    assert (first.line, second.line) == (5, 6)
    assert "the scenario `both` has `groups`, but also lists them as unknown" in str(first)
    assert "the agent `dev` has no JWT identity" in str(second)
