"""A token that says less never permits more to people: claims, subjects and clients removed or of another form."""

import copy
import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.admission.principal import Principal
from gateway.artifact.json_narrowing import is_array
from gateway.identity.claims import principal
from gateway.identity.issuer import Issuer
from tests.property.judge import Judge, asked
from tests.property.worlds import OWNER, part, some

PHASES: Final = (Phase.explicit, Phase.generate)
QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
RANK: Final = {"deny": 0, "hold": 1, "allow": 2}
ISSUER: Final = "https://idp.example"
RESOURCE: Final = "https://gateway.example/a"
NOW: Final = 1_795_000_000.0
Json = dict[str, Any]

VALUES: Final[dict[str, tuple[Any, ...]]] = {
    "department": ("sales", "legal", "support"),
    "/realm_access/roles": ("admin", "user", "Human Resources"),
    "https://x.example/level": (1, 2.5, 3),
    "trained": (True, False),
}
PLACES: Final = {
    "department": ("department",),
    "/realm_access/roles": ("realm_access", "roles"),
    "https://x.example/level": ("https://x.example/level",),
    "trained": ("trained",),
    "subject": ("sub",),
    "client": ("client_id",),
}
CLAIMS: Final = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True) for name, values in VALUES.items()
    },
).filter(bool)
WHO: Final = part(
    {},
    agents=some("person", "other"),
    kinds=some("test", "cursor"),
    groups=some("staff", "interns"),
    subjects=some("alice", "bob", f"{ISSUER}#alice", "https://other.example#alice"),
    client_ids=some("ide", "cli", f"{ISSUER}#ide"),
    claims=CLAIMS,
    source=some("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"),
).filter(bool)
WHENS: Final[tuple[Json, ...]] = ({}, {}, {"when": {"hours": "00:00-24:00"}})
ARGUMENTS: Final = st.sampled_from(([{"path": "/z", "absent": True}], [{"path": "/z", "equals": 1}]))
"""Conditions of which one holds for the questions here, and one is unknown."""
EXCEPTION: Final = part({}, who=WHO, arguments=ARGUMENTS).filter(bool)


@st.composite
def rules(draw: st.DrawFn) -> Json:
    """One rule without its id."""
    stated = {"effect": draw(st.sampled_from(("allow", "allow", "deny", "hold"))), "owner": OWNER, "reason": "tested"}
    whom = st.one_of(part({"who": draw(WHO)}, unless=EXCEPTION), part({"unless": draw(EXCEPTION)}))
    return {**stated, **draw(whom), **draw(st.sampled_from(WHENS))}


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def lesser(claims: Json) -> Iterator[Json]:
    """Yield the claims with one removed, moved, kept elsewhere, or of a form that says the same unreadably."""
    for place in PLACES.values():
        *above, last = place
        found: Any = claims
        for key in above:
            found = found.get(key, {})
        if last not in found:
            continue
        value = found[last]
        listed = value if is_array(value) else [value]
        texts = [text_of(each) for each in listed]
        forms: list[Any] = [None, {}, [], "", [[]], [None], {"value": value}, [value], dict.fromkeys(texts, True)]
        if last not in {"sub", "client_id"}:
            forms += [
                f"{', '.join(texts)}, ",
                f" {' '.join(texts)}",
                json.dumps(texts),
                [{"name": each} for each in texts],
            ]
            forms += [[*listed, None], [f"{','.join(texts)};x"]] if is_array(value) else []
        for form in forms:
            if form != value:
                yield changed(claims, place, form)
        yield changed(claims, place)
        yield changed(claims, place) | {last.upper(): value}
        yield changed(claims, place) | {"_claim_names": {place[0]: "src1"}}
        yield {**claims, "_claim_names": {place[0]: "src1"}}
        if above:
            yield changed(claims, place[:1])
            yield changed(claims, place[:1], [found])
            yield changed(claims, place[:1], "text")


def changed(claims: Json, place: tuple[str, ...], *value: Any) -> Json:
    made = copy.deepcopy(claims)
    holder: Any = made
    for key in place[:-1]:
        holder = holder[key]
    del holder[place[-1]]
    if value:
        holder[place[-1]] = value[0]
    return made


@st.composite
def tokens(draw: st.DrawFn) -> Json:
    """The claims of a token, each as one value or as a list."""
    said: Json = {"iss": ISSUER, "aud": RESOURCE, "exp": NOW + 600, "sub": draw(st.sampled_from(("alice", "bob")))}
    said |= {"client_id": draw(st.sampled_from(("ide", "cli"))), "groups": ["staff"], "scope": "x"}
    for name, values in VALUES.items():
        value: Any = draw(st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=2))
        for key in reversed(PLACES[name][1:]):
            value = {key: value}
        said[PLACES[name][0]] = value
    return said


@st.composite
def files(draw: st.DrawFn) -> Json:
    agent = {"owner": OWNER, "purpose": "p", "kind": "test"}
    stated = draw(st.lists(rules(), min_size=1, max_size=6))
    return {
        "environment.yaml": {"name": "world", "default": draw(st.sampled_from(("deny", "allow")))},
        "catalog/a.yaml": {
            "server": "a",
            "url": "http://a.example/mcp",
            "owner": OWNER,
            "tools": {"t": {"action": "read"}},
        },
        "agents/a.yaml": {
            "agents": [
                {"agent": "person", **agent, "identities": [{"issuer": ISSUER, "group": "staff"}]},
                {"agent": "other", **agent, "kind": "cursor"},
            ]
        },
        "rules/r.yaml": {"rules": [{"rule": f"r{number}", **rule} for number, rule in enumerate(stated)]},
    }


def caller(claims: Json) -> Principal | None:
    found = principal(claims, Issuer(issuer=ISSUER, keys_url=f"{ISSUER}/keys"), RESOURCE, NOW)
    return found if isinstance(found, Principal) else None


def question(who: Principal, address: str) -> Json:
    """Return the call of the one tool, which also is an item, in the name of a principal from an address."""
    touched: Json = {"target": {"type": "tool", "name": "t", "uri": None}}
    touched["definition"] = {"sha256": "a", "parts": {}, "annotations": {}}
    made = asked("a", "tools/call", **touched, arguments={})
    made |= {"arguments_meta": {"bytes": 2, "digest": "", "depth": 1, "schema": "match"}}
    made |= {"principal": msgspec.to_builtins(who), "items": [{"message": made["message"], **touched}]}
    made["context"]["source_ip"] = address
    return made


def ranks(answer: Json) -> tuple[int, bool]:
    (decision,), (listing,) = answer["decisions"], answer["listings"]
    return RANK[decision["outcome"]], listing["items"][0]["listed"]


@settings(max_examples=20, phases=PHASES, suppress_health_check=QUIET)
@given(
    world=files(), claims=tokens(), address=st.sampled_from(("10.1.2.3", "::ffff:192.0.2.9", "2001:db8::1", "8.8.8.8"))
)
def test_less_in_a_token_never_permits_more(judge: Judge, world: Json, claims: Json, address: str) -> None:
    data = judge.data(world)
    whole = caller(claims)
    assert whole is not None
    less = [each for each in map(caller, lesser(claims)) if each is not None]
    questions = [question(each, address) for each in (whole, *less)]
    questions += [question(whole, wrong) for wrong in ("", "unknown", "10.1.2.3:80", f"{address}%eth0")]
    before, *after = map(ranks, judge.decided(data, questions))
    for each, answer in zip(questions[1:], after, strict=True):
        assert all(new <= old for old, new in zip(before, answer, strict=True)), json.dumps(
            {"files": world, "whole": claims, "less": each["principal"], "from": each["context"]["source_ip"]}
        )


def test_rules_by_people_decide_in_the_generated_worlds(judge: Judge) -> None:
    outcomes = set[str]()

    @settings(max_examples=15, phases=PHASES, suppress_health_check=QUIET, database=None)
    @given(world=files(), claims=tokens())
    def look(world: Json, claims: Json) -> None:
        who = caller(claims)
        assert who is not None
        answers = judge.decided(judge.data(world), [question(who, "10.1.2.3")])
        outcomes.update(each["outcome"] for each in answers[0]["decisions"])

    look()
    assert outcomes == {"allow", "deny", "hold"}
