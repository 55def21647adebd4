"""Claims become a Principal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.principal import Principal
from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.claims import LEEWAY_S, expiry, principal
from tests.unit.identity.support import NOW, RESOURCE, claims, issuer

UNREADABLE: list[Any] = [
    ...,
    None,
    1,
    True,
    "",
    "two words",
    "staff,contractors",
    "staff;contractors",
    "[contractors]",
    '["contractors"]',
    "{contractors}",
    "(contractors)",
    "'contractors'",
    "staff\u00a0contractors",
    "staff\u200bcontractors",
    [1],
    ["x", None],
    ["x", ""],
    [["x"]],
    [{"name": "x"}],
    {"a": 1},
]


def judged(now: float = NOW, *, settings: dict[str, Any] | None = None, **changes: Any) -> Principal | Unauthenticated:
    return principal(claims(**changes), issuer(**(settings or {})), RESOURCE, now)


def accepted(**changes: Any) -> Principal:
    found = judged(**changes)
    assert isinstance(found, Principal), found
    return found


def cause(**changes: Any) -> str:
    found = judged(**changes)
    assert isinstance(found, Unauthenticated)
    return found.cause


def test_the_caller_is_the_principal_of_the_claims() -> None:
    found = accepted(scope="read write", groups=["dev"], email="a@example.com", jti="1")
    assert found == Principal(
        kind="user",
        method="jwt",
        issuer="https://idp.example",
        subject="alice",
        client_id="editor",
        groups=["dev"],
        scopes=["read", "write"],
        unknown=[],
        claims={"email": "a@example.com", "groups": ["dev"]},
    )


@pytest.mark.parametrize("changes", [{"sub": ...}, {"sub": "editor"}])
def test_a_token_without_a_user_is_a_service(changes: dict[str, Any]) -> None:
    assert accepted(**changes).kind == "service"


def test_azp_names_the_client_if_client_id_is_absent() -> None:
    assert accepted(client_id=..., azp="ide").client_id == "ide"


def test_the_claims_are_named_by_the_settings() -> None:
    settings = {"groups_claim": "realm_access.roles", "scopes_claim": "scp", "client_id_claim": "appid"}
    found = accepted(settings=settings, realm_access={"roles": ["x"]}, scp=["a", "b c"], appid="app")
    assert (found.groups, found.scopes, found.client_id) == (["x"], ["a", "b c"], "app")


def test_a_claim_with_dots_in_its_name_comes_before_a_path() -> None:
    name = "https://idp.example/groups"
    assert accepted(settings={"groups_claim": name}, **{name: ["x"]}).groups == ["x"]


def test_one_group_may_be_a_text() -> None:
    assert accepted(groups="contractors").groups == ["contractors"]


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("resource_access.my-app.roles", {"resource_access": {"my-app": {"roles": ["x"]}}}),
        ("/resource_access/my.app.com/roles", {"resource_access": {"my.app.com": {"roles": ["x"]}}}),
        ("/resource_access/a~1b~0c/roles", {"resource_access": {"a/b~c": {"roles": ["x"]}}}),
        ("https://idp.example/groups", {"https://idp.example/groups": ["x"]}),
        ("cognito:groups", {"cognito:groups": ["x"]}),
    ],
)
def test_a_claim_is_named_by_its_name_a_path_or_a_pointer(name: str, at: dict[str, Any]) -> None:
    assert accepted(settings={"groups_claim": name}, **at).groups == ["x"]


def test_a_group_path_is_taken_as_the_token_writes_it() -> None:
    assert accepted(groups=["/company/contractors"]).groups == ["/company/contractors"]


def test_an_empty_list_of_groups_is_known() -> None:
    found = accepted(groups=[], scope="")
    assert (found.groups, found.scopes, found.unknown) == ([], [], [])


@pytest.mark.parametrize("groups", UNREADABLE)
def test_groups_that_cannot_be_read_are_unknown(groups: object) -> None:
    found = accepted(groups=groups, scope="read")
    assert (found.groups, found.unknown) == ([], ["groups"])


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("groups", {"realm_access": {"roles": ["x"]}}),
        ("realm_access.roles", {"groups": ["x"]}),
        ("realm_access.roles", {"realm_access": ["roles"]}),
        ("resource_access.my.app.com.roles", {"resource_access": {"my.app.com": {"roles": ["x"]}}}),
        ("Groups", {"groups": ["x"]}),
    ],
)
def test_a_claim_that_is_elsewhere_is_unknown(name: str, moved: dict[str, Any]) -> None:
    found = accepted(settings={"groups_claim": name}, scope="read", **moved)
    assert (found.groups, found.unknown) == ([], ["groups"])


@pytest.mark.parametrize(
    "marker",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        {"hasgroups": True},
        {"hasgroups": "true"},
    ],
)
@pytest.mark.parametrize("left", [{}, {"groups": ["x"]}])
def test_a_token_that_says_that_groups_are_elsewhere_has_unknown_groups(
    marker: dict[str, Any], left: dict[str, Any]
) -> None:
    found = accepted(scope="read", **marker, **left)
    assert (found.groups, found.unknown) == ([], ["groups"])


def test_roles_are_known_although_groups_are_too_many() -> None:
    found = accepted(settings={"groups_claim": "roles"}, scope="read", hasgroups=True, roles=["x"])
    assert (found.groups, found.unknown) == (["x"], [])


@pytest.mark.parametrize("scope", [..., None, 1, [1], {"a": 1}])
def test_scopes_that_cannot_be_read_are_unknown_and_never_enough(scope: object) -> None:
    found = accepted(scope=scope, groups=[])
    assert (found.scopes, found.unknown) == ([], ["scopes"])
    lacking = judged(settings={"required_scopes": ("mcp",)}, scope=scope)
    assert isinstance(lacking, Unauthenticated)
    assert lacking.cause == "scope_insufficient"
    assert "`scope` is absent or is not a list" in lacking.reason


def test_a_subject_and_a_client_that_are_absent_are_unknown() -> None:
    assert accepted(sub=..., scope="", groups=[]).unknown == ["subject"]
    assert accepted(client_id=..., scope="", groups=[]).unknown == ["client_id"]
    assert accepted(settings={"client_id_claim": "cid"}, scope="", groups=[]).unknown == ["client_id"]


def test_the_audience_may_be_one_of_several() -> None:
    assert accepted(aud=["other", RESOURCE]).subject == "alice"


@pytest.mark.parametrize("aud", [f"{RESOURCE}/", RESOURCE.upper(), "https://gateway.example", "", [], ["x"]])
def test_another_audience_is_refused(aud: object) -> None:
    assert cause(aud=aud) == "audience_wrong"


@pytest.mark.parametrize("aud", [..., None, 7, [7], {"a": 1}])
def test_an_unreadable_audience_is_refused(aud: object) -> None:
    assert cause(aud=aud) == "claims_unusable"


def test_an_ended_token_is_refused_when_the_leeway_is_over() -> None:
    assert accepted(now=NOW + 600 + LEEWAY_S - 1)
    assert cause(now=NOW + 600 + LEEWAY_S) == "token_expired"


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_of_the_future_is_refused(name: str) -> None:
    assert accepted(**{name: NOW + LEEWAY_S})
    assert cause(**{name: NOW + LEEWAY_S + 1}) == "token_not_yet_valid"


@pytest.mark.parametrize("exp", [..., None, "2099", True, float("nan"), float("inf"), 10**400, [1]])
def test_a_token_without_an_end_is_refused(exp: object) -> None:
    assert cause(exp=exp) == "claims_unusable"


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": 1},
        {"sub": ""},
        {"sub": None},
        {"sub": "a\nb"},
        {"client_id": None, "azp": "ide"},
        {"client_id": ["x"]},
        {"sub": ..., "client_id": ...},
        {"act": "bob"},
        {"act": None},
        {"act": {"sub": 1}},
        {"act": {"sub": "a", "act": None}},
        {"cnf": None},
        {"cnf": {"jkt": "x"}},
        {"nbf": "soon"},
    ],
)
def test_a_claim_of_the_wrong_type_refuses_the_token(changes: dict[str, Any]) -> None:
    assert cause(**changes) == "claims_unusable"


def test_the_chain_of_actors_is_the_delegation() -> None:
    found = accepted(act={"sub": "agent", "act": {"client_id": "planner"}})
    assert found.delegation == ["agent", "planner"]


def test_an_endless_chain_of_actors_is_refused() -> None:
    act: dict[str, Any] = {"sub": "0"}
    for index in range(20):
        act = {"sub": str(index), "act": act}
    assert cause(act=act) == "claims_unusable"


def test_a_token_with_too_few_scopes_is_refused_with_the_required_ones() -> None:
    found = judged(settings={"required_scopes": ("mcp", "read")}, scope="read")
    assert isinstance(found, Unauthenticated)
    assert (found.cause, found.status, found.error) == ("scope_insufficient", 403, "insufficient_scope")
    assert found.scopes == ("mcp", "read")


def test_the_end_of_a_token_is_its_exp() -> None:
    assert expiry(claims()) == NOW + 600


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "act", "cnf", "scope", "groups", "client_id", "azp"])


@given(st.dictionaries(NAMES, VALUES))
def test_any_claims_are_judged(changes: dict[str, Any]) -> None:
    found = principal({**claims(), **changes}, issuer(), RESOURCE, NOW)
    if isinstance(found, Principal):
        assert found.subject or found.client_id
        assert all(type(group) is str for group in found.groups)
        assert not ("groups" in found.unknown and found.groups)
        assert found.subject or "subject" in found.unknown
        assert found.client_id or "client_id" in found.unknown


@given(VALUES)
def test_groups_are_read_from_the_claim_or_unknown(value: Any) -> None:
    found = accepted(groups=value)
    if "groups" in found.unknown:
        assert found.groups == []
    else:
        assert found.groups in (value, [value])
        assert all(type(group) is str and group for group in found.groups)
