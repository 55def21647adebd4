"""A rule is accepted in a scope only if everything that it could match is inside, whatever rule and scope say."""

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.rules.directory_scopes import beyond_scopes, contains
from gateway.policy.rules.name_globs import fits
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment

Json = dict[str, Any]
GLOBS = st.text("ab*?", min_size=1, max_size=4)
NAMES = ["".join(letters) for size in range(1, 5) for letters in product("abc", repeat=size)]
WORDS: dict[str, tuple[str, ...]] = {
    "server_tags": ("mail", "files"),
    "agents": ("bot", "clerk"),
    "groups": ("sales", "board"),
    "actions": ("read", "send", "delete"),
}
EFFECTS = ("allow", "deny", "hold")
PARTS = {"servers": "what", "server_tags": "what", "actions": "what", "agents": "who", "groups": "who"}


def stated(least: int) -> st.SearchStrategy[Json]:
    """Some of the fields, each with some of its values."""
    words = {name: st.lists(st.sampled_from(known), min_size=1, unique=True) for name, known in WORDS.items()}
    globs = {"servers": st.lists(GLOBS, min_size=1, max_size=2, unique=True)}
    return st.fixed_dictionaries({}, optional=globs | words).filter(lambda made: len(made) >= least)


def matched(fields: Json, case: Json) -> bool:
    """Return whether all stated fields fit a case: a server with tags, an agent with groups, an action."""
    return all(
        any(fits(glob, case[name]) for glob in values)
        if name == "servers"
        else not {*values}.isdisjoint(case[name] if isinstance(case[name], tuple) else (case[name],))
        for name, values in fields.items()
    )


def subsets(known: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(), *((word,) for word in known), known]


CASES: list[Json] = [
    dict(zip(("server_tags", "agents", "groups", "actions"), case, strict=True))
    for case in product(
        subsets(WORDS["server_tags"]),
        (*WORDS["agents"], "other"),
        subsets(WORDS["groups"]),
        (*WORDS["actions"], "list"),
    )
]


def environment(scopes: list[Json], rule: Json) -> Environment:
    path = "bundles/dev/rules/x"
    documents: list[Document] = []
    for scope in scopes:
        documents.append(Document(f"{path}/scope.yaml", {"team": "t", **scope}, {}))
        path += "/y"
    nothing: tuple[Document, ...] = ()
    return Environment(
        name="dev",
        settings=Document("bundles/dev/environment.yaml", {"name": "dev"}, {}),
        catalog=nothing,
        agents=nothing,
        rules=(Document(f"{path}/r.yaml", {"rules": [rule]}, {}),),
        enforcement=nothing,
        scenarios=nothing,
        own=nothing,
        scopes=tuple(documents),
    )


def of_rule(fields: Json, effect: str) -> Json:
    rule: Json = {"rule": "r", "effect": effect}
    for name, values in fields.items():
        rule.setdefault(PARTS[name], {})[name] = values
    return rule


@given(
    scopes=st.lists(
        st.tuples(stated(1), st.none() | st.lists(st.sampled_from(EFFECTS), min_size=1)), min_size=1, max_size=2
    ),
    fields=stated(0),
    effect=st.sampled_from(EFFECTS),
)
def test_an_accepted_rule_matches_nothing_outside_its_scopes(
    scopes: list[tuple[Json, list[str] | None]], fields: Json, effect: str
) -> None:
    made = environment([each | ({"effects": some} if some else {}) for each, some in scopes], of_rule(fields, effect))
    if any(problem.file.endswith("r.yaml") for problem in beyond_scopes(made)):
        return
    assert all(effect in some for _, some in scopes if some)
    for scope, _ in scopes:
        named = [name for name in NAMES if any(fits(glob, name) for glob in fields.get("servers", ["*"]))]
        assert all(any(fits(glob, name) for glob in scope.get("servers", ["*"])) for name in named)
        rest = {name: values for name, values in scope.items() if name != "servers"}
        mine = {name: values for name, values in fields.items() if name != "servers"}
        assert all(matched(rest, case) for case in CASES if matched(mine, case))


@given(scope=stated(1), more=stated(0), effect=st.sampled_from(EFFECTS))
def test_a_rule_that_states_the_scope_itself_is_accepted(scope: Json, more: Json, effect: str) -> None:
    made = environment([scope], of_rule(more | scope, effect))
    assert not [problem for problem in beyond_scopes(made) if problem.file.endswith("r.yaml")]


@given(outer=GLOBS, inner=GLOBS)
def test_a_contained_glob_matches_no_name_that_the_other_does_not(outer: str, inner: str) -> None:
    if contains(outer, inner):
        assert all(fits(outer, name) for name in NAMES if fits(inner, name))
