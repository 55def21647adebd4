"""A token that says less never permits more: claims that are removed, moved or of another form are unknown."""

import json
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.admission.principal import Principal
from gateway.identity.claims import principal
from tests.property.judge import Judge, asked
from tests.property.tokens import CLIENTS, GROUPS, ISSUER, NOW, RESOURCE, SUBJECTS, Presented, presented
from tests.property.worlds import OWNER, part, some

PHASES: Final = (Phase.explicit, Phase.generate)
QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
RANK: Final = {"deny": 0, "hold": 1, "allow": 2}
AGENTS: Final = ("narrow", "wide", "other")


def _of_groups(groups: list[str]) -> dict[str, Any]:
    return {"groups": groups}


def _both(who: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return who | more


def _rule(effect: str, who: dict[str, Any]) -> dict[str, Any]:
    return {"effect": effect, "who": who, "owner": OWNER, "reason": "tested"}


IDENTITIES: Final = part(
    {"issuer": ISSUER},
    subject=st.sampled_from(SUBJECTS),
    client_id=st.sampled_from(CLIENTS),
    group=st.sampled_from(GROUPS),
).filter(lambda identity: len(identity) > 1)
WHO: Final = part({}, agents=some(*AGENTS), labels=some("red", "blue"), kinds=some("test", "cursor")).filter(bool)
GROUPED: Final = some(*GROUPS).map(_of_groups)
RULES: Final = st.lists(
    st.builds(
        _rule,
        st.sampled_from(("allow", "deny", "hold")),
        GROUPED | GROUPED | WHO | st.builds(_both, WHO, GROUPED),
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an environment in which claims decide who a caller is and what it may do."""
    identities = draw(
        st.lists(IDENTITIES, min_size=1, max_size=5, unique_by=lambda each: sorted(each.items()).__repr__())
    )
    agents: list[dict[str, Any]] = [
        {"agent": name, "owner": OWNER, "purpose": "p", "kind": kind, "labels": [label], "identities": []}
        for name, kind, label in zip(AGENTS, ("test", "cursor", "test"), ("red", "blue", "blue"), strict=True)
    ]
    for identity in identities:
        draw(st.sampled_from(agents))["identities"].append(identity)
    rules = [{"rule": f"r{number}", **rule} for number, rule in enumerate(draw(RULES))]
    return {
        "environment.yaml": {"name": "world", "default": draw(st.sampled_from(("deny", "allow", "allow")))},
        "catalog/a.yaml": {
            "server": "a",
            "url": "http://a.example/mcp",
            "owner": OWNER,
            "tools": {"t": {"action": "read"}},
        },
        "agents/agents.yaml": {"agents": agents},
        "rules/r.yaml": {"rules": rules},
    }


def question(claims: dict[str, Any], token: Presented) -> dict[str, Any] | None:
    """Return what OPA is asked for a token of these claims; None for one that is refused before."""
    found = principal(claims, token.issuer, RESOURCE, NOW)
    if not isinstance(found, Principal):
        return None
    target = {"type": "tool", "name": "t", "uri": None}
    definition: dict[str, Any] = {"sha256": "a", "parts": {}, "annotations": {}}
    meta = {"bytes": 2, "digest": "", "depth": 1, "schema": "match"}
    stated: dict[str, Any] = {
        "target": target,
        "definition": definition,
        "arguments": {},
        "arguments_meta": meta,
        "items": [],
    }
    return asked("a", "tools/call", **stated) | {"principal": msgspec.to_builtins(found)}


@settings(max_examples=12, phases=PHASES, suppress_health_check=QUIET)
@given(world=files(), tokens=st.lists(presented(), min_size=4, max_size=4))
def test_a_claim_less_never_permits_more(judge: Judge, world: dict[str, Any], tokens: list[Presented]) -> None:
    documents = [(token, claims) for token in tokens for claims in (token.claims, *token.lesser())]
    questions = [question(claims, token) for token, claims in documents]
    answers = iter(judge.decided(judge.data(world), [each for each in questions if each is not None]))
    outcome, before = "deny", 0
    for (token, claims), put in zip(documents, questions, strict=True):
        outcome = next(answers)["decisions"][0]["outcome"] if put is not None else "deny"
        if claims is token.claims:
            assert put is not None
            before = RANK[outcome]
        assert RANK[outcome] <= before, json.dumps([world, token.claims, claims, outcome])


def test_the_worlds_permit_and_refuse_by_claims(judge: Judge) -> None:
    outcomes = set[tuple[str, str]]()

    @settings(max_examples=8, phases=PHASES, suppress_health_check=QUIET, database=None, derandomize=True)
    @given(world=files(), tokens=st.lists(presented(), min_size=4, max_size=4))
    def look(world: dict[str, Any], tokens: list[Presented]) -> None:
        documents = [(token, claims) for token in tokens for claims in (token.claims, *token.lesser())]
        questions = [question(claims, token) for token, claims in documents]
        answers = iter(judge.decided(judge.data(world), [each for each in questions if each is not None]))
        before = ""
        for (token, claims), put in zip(documents, questions, strict=True):
            outcome = next(answers)["decisions"][0]["outcome"] if put is not None else "deny"
            before = outcome if claims is token.claims else before
            outcomes.add((before, outcome))

    look()
    assert {("allow", "allow"), ("allow", "deny"), ("hold", "deny"), ("deny", "deny")} <= outcomes
