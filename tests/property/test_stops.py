"""A message is refused exactly if all selectors of a stop match it, however the stop is indexed.

Rule 1: a model in Python says what a selector matches; the real OPA judges the document that the gateway writes.
Rule 2: many pairs of stops and messages share an evaluation.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from gateway.admission.session_digest import session_digest
from gateway.artifact.stops_bundle import KINDS, Kind, Stop, document, indexed

NOW_NS: Final = 1_795_183_200_000_000_000
QUERY: Final = """
package stopped

import data.mcp.requirements.nothing_is_stopped

answers := [refused |
    some pair in input.pairs
    met := {true | is_met(pair)}
    refused := count(met) == 0
]

is_met(pair) if {
    nothing_is_stopped.met with input as pair.question
        with data.emergency as pair.emergency
        with data.agents as input.data.agents
        with data.catalog as input.data.catalog
        with data.index as input.data.index
}
"""
ISSUER: Final = "https://idp.example"
SESSIONS: Final = tuple(session_digest(text) for text in ("one", "two"))
AGENTS: Final[dict[str, Any]] = {
    "a": {"kind": "cursor", "labels": ["x", "y"]},
    "b": {"kind": "vscode", "labels": ["y"]},
}
SERVERS: Final[dict[str, Any]] = {"s": {"tags": ["mail", "chat"]}, "t": {"tags": []}}
ACTIONS: Final = {"get": "read", "del": "delete", "odd": None}
DATA: Final[dict[str, Any]] = {
    "agents": AGENTS,
    "catalog": {
        "servers": SERVERS,
        "targets": {name: {"tools": {tool: {"action": act} for tool, act in ACTIONS.items()}} for name in SERVERS},
    },
    "index": {"identities": {ISSUER: {"subject": {f"sub-{name}": name for name in AGENTS}, "combined": {}}}},
}
NAMES: Final[dict[Kind, list[str]]] = {
    "agent": ["a", "b"],
    "principal": ["sub-a", f"{ISSUER}#sub-a", "https://other#sub-a"],
    "server": ["s", "t"],
    "target": ["s/get", "t/del", "s/odd"],
    "session": list(SESSIONS),
    "group": ["staff", f"{ISSUER}#staff", "https://other#staff"],
    "label": ["x", "y"],
    "kind": ["cursor", "vscode"],
    "tag": ["mail", "code"],
    "action": ["read", "write", "delete", "list"],
}


class Message(Struct, frozen=True):
    """What a stop can select a message by."""

    agent: str
    server: str
    tool: str
    """Empty for a list."""
    session: str
    groups: tuple[str, ...]

    @property
    def question(self) -> dict[str, Any]:
        """The message as a policy input, as far as stops read it."""
        principal = {"method": "jwt", "issuer": ISSUER, "subject": f"sub-{self.agent}", "groups": list(self.groups)}
        principal |= {"unknown": []}
        return {
            "principal": principal,
            "server": {"id": self.server},
            "target": {"type": "tool", "name": self.tool} if self.tool else {"type": "none", "name": None},
            "context": {"time": {"unix_ns": NOW_NS}, "session": self.session},
        }

    def matches(self, kind: Kind, name: str) -> bool:
        """Whether a selector means this message."""
        subject, action = f"sub-{self.agent}", ACTIONS.get(self.tool) if self.tool else "list"
        means: dict[Kind, set[str]] = {
            "agent": {self.agent},
            "principal": {subject, f"{ISSUER}#{subject}"},
            "server": {self.server},
            "target": {f"{self.server}/{self.tool}"} if self.tool else set(),
            "session": {self.session} - {""},
            "group": {*self.groups, *(f"{ISSUER}#{group}" for group in self.groups)},
            "label": set(AGENTS[self.agent]["labels"]),
            "kind": {AGENTS[self.agent]["kind"]},
            "tag": set(SERVERS[self.server]["tags"]),
            "action": {action} if action else {*NAMES["action"]},
        }
        return name in means[kind]


QUIET: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
messages = st.builds(
    Message,
    st.sampled_from(sorted(AGENTS)),
    st.sampled_from(sorted(SERVERS)),
    st.sampled_from(["", *ACTIONS]),
    st.sampled_from(["", *SESSIONS]),
    st.sampled_from([(), ("staff",), ("staff", "guests")]),
)


@st.composite
def selections(draw: st.DrawFn) -> dict[Kind, str]:
    """Draw what a stop selects."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True))
    return {kind: draw(st.sampled_from(NAMES[kind])) for kind in kinds}


def stop(number: int, chosen: dict[Kind, str]) -> Stop:
    kind, name, also = indexed(chosen)
    until = NOW_NS + 1
    return Stop(id=f"s{number}", kind=kind, name=name, until_unix_ns=until, because="x", by="x", at="", also=also)


@pytest.fixture(scope="session")
def tree(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stopped")
    for place in (checkout / "rego" / "mcp").rglob("*.rego"):
        if not place.name.endswith("_test.rego"):
            copy = root / place.relative_to(checkout / "rego")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(place.read_bytes())
    (root / "stopped.rego").write_text(QUERY)
    return root


@settings(max_examples=12, phases=(Phase.explicit, Phase.generate), suppress_health_check=QUIET)
@given(
    st.lists(
        st.tuples(st.lists(selections(), max_size=3), messages),
        min_size=30,
        max_size=30,
    )
)
def test_a_message_is_refused_exactly_if_all_selectors_of_a_stop_match(
    opa: Path, tree: Path, pairs: list[tuple[list[dict[Kind, str]], Message]]
) -> None:
    asked = [
        {"question": message.question, **document([stop(number, one) for number, one in enumerate(chosen)])}
        for chosen, message in pairs
    ]
    flags = ["--strict-builtin-errors", "--format=raw", "--stdin-input", "--data=."]
    ran = subprocess.run(
        [str(opa), "eval", *flags, "data.stopped.answers"],
        input=json.dumps({"data": DATA, "pairs": asked}).encode(),
        capture_output=True,
        cwd=tree,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout.decode()[:2000] + ran.stderr.decode()[:2000]
    refused: list[bool] = json.loads(ran.stdout)
    expected = [
        any(all(message.matches(kind, name) for kind, name in one.items()) for one in chosen)
        for chosen, message in pairs
    ]
    wrong = [pair for pair, said, want in zip(pairs, refused, expected, strict=True) if said != want]
    assert wrong == []
