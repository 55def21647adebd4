"""One misspelled name in a rule is found in every catalog, whatever else the rule says."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.artifact.json_narrowing import is_array, is_object
from gateway.policy.rules.names_used_in_rules import rule_names
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment

Json = dict[str, Any]
WORDS = st.text("abcdefghij_-", min_size=3, max_size=12).filter(lambda word: word[0].isalpha())
SECTIONS = ("tools", "prompts", "resources")
OTHERWISE = ("x{}", "{}x", "{}s", "{}_")


def documents(values: list[Json], kind: str) -> tuple[Document, ...]:
    return tuple(Document(f"bundles/dev/{kind}/{number}.yaml", value, {}) for number, value in enumerate(values))


def environment(servers: list[Json], agents: list[Json], rule: Json) -> Environment:
    classes = sorted({name for server in servers for tool in server["tools"].values() for name in tool["data"]})
    settings: Json = {
        "name": "dev",
        "groups": sorted({group for agent in agents for group in agent["groups"]}),
        "data_classes": {"classes": classes, "unclassified": classes[0]},
    }
    return Environment(
        name="dev",
        settings=Document("bundles/dev/environment.yaml", settings, {}),
        catalog=documents(servers, "catalog"),
        agents=documents(
            [{key: value for key, value in agent.items() if key != "groups"} for agent in agents], "agents"
        ),
        rules=documents([{"rules": [rule]}], "rules"),
        enforcement=(),
        scenarios=(),
        own=(),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Json], list[Json], Json]:
    """A catalog, its agents, and a rule about one target of one server and one agent, each named by what it has."""
    names = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    some = st.lists(WORDS, min_size=1, max_size=3, unique=True)
    servers: list[Json] = [
        {
            "server": name,
            "tags": draw(some),
            "environment": draw(WORDS),
            "tools": {tool: {"tags": draw(some), "data": draw(some)} for tool in draw(some)},
            "prompts": {prompt: {} for prompt in draw(some)},
            "resources": {f"{draw(WORDS)}://{path}/{draw(st.sampled_from(('', '*')))}": {} for path in draw(some)},
        }
        for name in names
    ]
    agents: list[Json] = [
        {"agent": name, "kind": draw(WORDS), "owner": draw(WORDS), "labels": draw(some), "groups": draw(some)}
        for name in draw(some)
    ]
    server, agent = draw(st.sampled_from(servers)), draw(st.sampled_from(agents))
    tool = draw(st.sampled_from(sorted(server["tools"])))
    what: Json = {
        "servers": [server["server"]],
        "server_tags": [server["tags"][0]],
        "server_environments": [server["environment"]],
        "tools": [tool],
        "prompts": [draw(st.sampled_from(sorted(server["prompts"])))],
        "resources": [draw(st.sampled_from(sorted(server["resources"])))],
        "tool_tags": server["tools"][tool]["tags"][:1],
        "data": server["tools"][tool]["data"][:1],
    }
    who: Json = {
        "agents": [agent["agent"]],
        "kinds": [agent["kind"]],
        "owners": [agent["owner"]],
        "labels": agent["labels"][:1],
        "groups": agent["groups"][:1],
    }
    rule: Json = {"rule": "r", "effect": draw(st.sampled_from(("allow", "deny", "hold")))}
    kept = draw(st.sets(st.sampled_from([*what, *who]), min_size=1))
    kept |= {"tools"} if {"tool_tags", "data"} & kept else set()
    stated: dict[str, Json] = {"what": what, "who": who}
    for part, fields in stated.items():
        if fields.keys() & kept:
            rule[part] = {field: fields[field] for field in fields if field in kept}
    return servers, agents, rule


def texts(value: Any) -> set[str]:
    if is_object(value):
        return {text for key, inner in value.items() for text in {key, *texts(inner)}}
    return {text for inner in value for text in texts(inner)} if is_array(value) else {value}


@given(world=worlds())
def test_a_rule_of_names_that_exist_is_accepted_in_every_catalog(world: tuple[list[Json], list[Json], Json]) -> None:
    found = rule_names(environment(*world), 0)
    assert (found.problems, found.warnings) == ([], [])


@given(world=worlds(), data=st.data())
def test_one_misspelled_name_is_always_found(world: tuple[list[Json], list[Json], Json], data: st.DataObject) -> None:
    servers, agents, rule = world
    part, field = data.draw(
        st.sampled_from([(part, field) for part in ("what", "who") for field in rule.get(part, {})])
    )
    name: str = rule[part][field][0]
    wrong = data.draw(st.sampled_from(OTHERWISE)).format(name)
    if field == "resources":
        wrong = f"x{name}"
    elif field in {"servers", "tools", "prompts"} and data.draw(st.booleans()):
        wrong = f"{wrong[0]}?{wrong[2:]}?*?"
    existing = texts([*servers, *agents])
    if wrong in existing or any(len(text) > len(wrong) for text in existing if "?" in wrong):
        return
    rule[part][field] = data.draw(st.sampled_from(([wrong], [name, wrong])))
    found = rule_names(environment(servers, agents, rule), 0)
    told, other = (found.warnings, found.problems) if rule["effect"] == "allow" else (found.problems, found.warnings)
    assert other == []
    assert any(f"`{wrong}`" in problem.what for problem in told), (wrong, told)
