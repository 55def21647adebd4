"""Small policies and questions, generated: a catalog, agents, rules, and what one caller may ask of them.

Rule 1: what is generated is what a team may write: the data schemas accept it.
Rule 2: names are few, so that rules, targets and callers meet.
"""

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Struct

NOW_NS: Final = 1_795_000_000_000_000_000
PAST: Final = "2020-01-01T00:00:00Z"
FUTURE: Final = "2027-01-01T00:00:00Z"
SOON: Final = "2026-11-25T00:00:00Z"
OWNER: Final = "a@example.com"
SERVERS: Final = ("a", "b")
TOOLS: Final = ("read_it", "write_it", "odd")
PROMPTS: Final = ("greet", "other")
URIS: Final = ("note://one", "note://dir/two", "note://dir/deep/three")
ACTIONS: Final = ("read", "write", "delete", "send", "execute", "list", "unknown")
PINS: Final = ("a" * 64, "b" * 64)
DRIFT: Final = ("description", "schema", "annotations", "added", "removed")
ARGUMENTS: Final[tuple[dict[str, Any], ...]] = ({}, {"x": "one"}, {"x": 7}, {"x": {"y": []}})


class World(Struct, frozen=True):
    """The files of an environment, by name, and the things that a list on one server would show."""

    files: dict[str, Any]
    server: str
    items: list[dict[str, Any]]

    def __repr__(self) -> str:
        """Say little: what fails says what of it matters."""
        return f"World of {len(self.files)} files"


def some(*values: str, least: int = 1) -> SearchStrategy[list[str]]:
    """Some of the values, each once."""
    return st.lists(st.sampled_from(values), min_size=least, max_size=3, unique=True)


def part(required: dict[str, Any], **optional: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """A mapping with what is required, and any of what is optional."""
    return st.fixed_dictionaries({name: st.just(value) for name, value in required.items()}, optional=optional)


CLASSES: Final = ("pii", "code", "other")
REACH: Final = st.sampled_from(("internal", "external"))
RELAXED: Final = {"owner": OWNER, "reason": "tested"}
EXPIRY: Final = st.sampled_from((PAST, SOON, FUTURE))
WHO: Final = part(
    {},
    agents=some("bot", "other"),
    kinds=some("test", "cursor"),
    labels=some("red", "blue"),
    owners=some(OWNER, "b@example.com"),
    groups=some("staff"),
)
WHAT: Final = part(
    {},
    servers=some("a", "b", "*"),
    server_tags=some("messaging", "files"),
    server_environments=some("production", "test"),
    tools=some("*", "read_*", "odd"),
    resources=some("*", "note://dir/*", "note://one"),
    prompts=some("greet", "*"),
    tool_tags=some("loud"),
    data=some(*CLASSES),
    reach=REACH,
    actions=some(*ACTIONS),
)
WHEN: Final = part(
    {},
    days=some("monday", "thursday", "wednesday", "saturday"),
    hours=st.sampled_from(("08:00-18:00", "18:00-08:00", "00:00-24:00")),
)
CONDITIONS: Final = st.lists(
    st.sampled_from(
        (
            {"path": "/x", "equals": "one"},
            {"path": "/x", "in": ["one", 7]},
            {"path": "/x", "prefix": "o"},
            {"path": "/x", "glob": "t*"},
            {"path": "/x", "matches": "^o"},
            {"path": "/x", "at_most": 9},
            {"path": "/z", "equals": 1},
            {"path": "/x", "not": {"equals": "one"}},
            {"path": "/x", "none_of": [{"above": 9}, {"prefix": "t"}]},
            {"path": "/x/y", "length": {"at_most": 1}},
            {"path": "/z", "absent": True},
        )
    ),
    min_size=1,
    max_size=2,
)


@st.composite
def rule(draw: st.DrawFn) -> dict[str, Any]:
    """One rule without its id."""
    made = draw(
        part(
            {"effect": draw(st.sampled_from(("allow", "allow", "deny", "hold"))), **RELAXED},
            who=WHO.filter(bool),
            what=WHAT.filter(bool),
            when=WHEN.filter(bool),
            arguments=CONDITIONS,
            unless=part({}, who=WHO.filter(bool), when=WHEN.filter(bool), arguments=CONDITIONS).filter(bool),
            expires=EXPIRY,
        )
    )
    mode = draw(st.sampled_from((None, None, None, "shadow", "warn")))
    return made | ({"mode": mode, "expires": draw(EXPIRY)} if mode else {})


TARGET: Final = part(
    {},
    action=st.sampled_from(ACTIONS),
    tags=some("loud", "quiet"),
    data=some(*CLASSES),
    reach=REACH,
    pin=st.sampled_from([{"sha256": pin, "parts": {"description": pin}} for pin in PINS]),
)


@st.composite
def server(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """One server of the catalog."""
    targets: dict[str, Any] = {
        kind: draw(st.dictionaries(st.sampled_from(names), TARGET, max_size=3))
        for kind, names in (("tools", TOOLS), ("prompts", PROMPTS), ("resources", (*URIS, "note://dir/*", "note://*")))
    }
    return draw(
        part(
            {"server": name, "url": f"http://{name}.example/mcp", "owner": OWNER, **targets},
            trust=st.sampled_from(("low", "high")),
            environment=st.sampled_from(("production", "test")),
            tags=some("messaging", "files"),
            data=some(*CLASSES),
            reach=REACH,
            believe_annotations=st.booleans(),
            check_formats=st.booleans(),
            definition_drift=st.dictionaries(st.sampled_from(DRIFT), st.sampled_from(("allow", "warn", "deny"))),
        )
    )


@st.composite
def agent(draw: st.DrawFn, name: str, *, anonymous: bool) -> dict[str, Any]:
    """One agent; the anonymous one is whom the questions come from."""
    scope = part({}, servers=some("a", "b", "*"), actions=some(*ACTIONS)).filter(bool)
    required = {"agent": name, "owner": OWNER, "purpose": "tests", "kind": "test"}
    made = draw(
        part(
            required,
            labels=some("red", "blue"),
            clearance=st.one_of(*[st.just([*CLASSES])] * 4, some(*CLASSES)),
            expires=st.sampled_from((FUTURE, FUTURE, PAST)),
            scope=scope,
        )
    )
    return made | ({"anonymous": True} if anonymous else {})


@st.composite
def environment(draw: st.DrawFn) -> dict[str, Any]:
    """The settings of an environment."""
    observe = st.just({**RELAXED, "expires": SOON})
    made = draw(
        part(
            {"name": "world", "default": draw(st.sampled_from(("deny", "allow")))},
            require_pins=st.booleans(),
            data_classes=st.just({"classes": [*CLASSES], "unclassified": "other"}),
            check_schemas=st.sampled_from(("lenient", "strict")),
            definition_drift=st.dictionaries(st.sampled_from(DRIFT), st.sampled_from(("allow", "warn", "deny"))),
        )
    )
    return made | ({"observe": draw(observe)} if draw(st.integers(0, 7)) == 0 else {})


DEFINITION: Final = st.sampled_from(
    (
        None,
        *({"sha256": pin, "parts": {"description": pin}, "annotations": {}} for pin in PINS),
        {"sha256": "c" * 64, "parts": {"description": "c"}, "annotations": {"readOnlyHint": True}},
        {
            "sha256": PINS[0],
            "parts": {"description": PINS[0], "inputSchema": "d"},
            "annotations": {"readOnlyHint": False},
        },
    )
)


@st.composite
def items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Things that a list shows, each stated as the call that it would be."""
    targets = (
        *(("tools/call", {"type": "tool", "name": name, "uri": None}) for name in (*TOOLS, "gone")),
        *(("prompts/get", {"type": "prompt", "name": name, "uri": None}) for name in PROMPTS),
        *(("resources/read", {"type": "resource", "name": None, "uri": uri}) for uri in (*URIS, "other://x")),
    )
    return [
        {"method": method, "target": target, "definition": draw(DEFINITION)}
        for method, target in draw(st.permutations(targets))
    ]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A policy and a list to ask about."""
    rules = draw(st.lists(rule(), min_size=1, max_size=6))
    names = ("rules_permit", "definition_is_unchanged", "target_is_listed", "agent_stays_in_scope")
    modes = st.fixed_dictionaries({"mode": st.sampled_from(("warn", "shadow", "hold")), "expires": EXPIRY})
    relaxed = draw(st.dictionaries(st.sampled_from(names), modes, max_size=1))
    files: dict[str, Any] = {
        "environment.yaml": draw(environment()),
        **{f"catalog/{name}.yaml": draw(server(name)) for name in SERVERS},
        "agents/bot.yaml": draw(agent("bot", anonymous=True)),
        "agents/other.yaml": draw(agent("other", anonymous=False)),
        "rules/r.yaml": {"rules": [{"rule": f"r{number}", **each} for number, each in enumerate(rules)]},
    }
    if relaxed:
        files["enforcement/e.yaml"] = {"enforcement": {name: {**RELAXED, **mode} for name, mode in relaxed.items()}}
    return World(files, draw(st.sampled_from((*SERVERS, *SERVERS, "gone"))), draw(items()))
