"""What a list shows is what can be called: the property of DESIGN section 4, by the real OPA over the stock policy.

Rule 1: policies are small and generated, and many are judged in one evaluation.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from gateway.admission.capabilities import OF_SERVER
from gateway.bundle import Builder, PolicySource, Problems
from gateway.bundle.build import Content
from gateway.bundle.data import bundle_data
from gateway.bundle.environment import Environment, Reader
from gateway.opa.binary import find
from tests.property.worlds import ARGUMENTS, NOW_NS, World, worlds

NOW: Final = 1_795_000_000.0
PHASES: Final = (Phase.explicit, Phase.generate)
"""Without shrinking: each attempt is a process, and what fails says which policy and which item it was."""
JUDGE: Final = """
package judged

import data.mcp.admission
import data.mcp.lib.enforcement

answers := [answer |
    some world in input
    answer := verdicts(world)
        with data.environment as world.data.environment
        with data.required as world.data.required
        with data.enforcement as world.data.enforcement
        with data.catalog as world.data.catalog
        with data.agents as world.data.agents
        with data.rules as world.data.rules
        with data.own as world.data.own
        with data.index as world.data.index
        with data.requirements as world.data.requirements
]

verdicts(world) := {
    "listed": listed.items,
    "calls": [[call(question) | some question in questions] | some questions in world.calls],
} if {
    listed := admission.listing with input as world.listing
}

call(question) := {
    "decision": object.remove(decision, ["resolved"]),
    "free": {name | some name in unmet; strict(name, question)},
} if {
    decision := admission.decision with input as question
    unmet := (admission.unmet_standing | admission.unmet_varying) with input as question
}

strict(name, question) if {
    mode := enforcement.mode(name) with input as question
    mode == "deny"
}
"""


@pytest.fixture(scope="session")
def opa() -> Path:
    found = find()
    assert found is not None, "OPA is not on this machine: run `make opa`"
    return found


class Judge:
    """The stock policy, ready to judge worlds."""

    def __init__(self, opa: Path, root: Path, content: Content) -> None:
        self._opa = opa
        self._root = root
        self._requirements: dict[str, Any] = content.data["requirements"]
        self._reader = Reader()
        for name, text in {**content.files, "judged.rego": JUDGE.encode()}.items():
            place = root / "tree" / name.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text)

    def data(self, files: dict[str, Any]) -> dict[str, Any]:
        """Return the bundle's data for the files of an environment, as the build makes it."""
        base = self._root / "policy" / "bundles" / "world"
        for old in base.rglob("*.yaml"):
            old.unlink()
        for name, value in files.items():
            place = base / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(json.dumps(value), encoding="utf-8")
        found = self._reader.read(self._root / "policy", "world")
        assert isinstance(found, Environment), found
        return dict(bundle_data(found, self._requirements))

    def judge(self, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the answers of the policy, world by world."""
        flags = ["--strict-builtin-errors", "--format=raw", "--stdin-input", "--data=."]
        ran = subprocess.run(
            [str(self._opa), "eval", *flags, "data.judged.answers"],
            input=json.dumps(asked).encode(),
            capture_output=True,
            cwd=self._root / "tree",
            check=False,
        )
        assert ran.returncode == 0, ran.stdout.decode()[:2000] + ran.stderr.decode()[:2000]
        answers: list[dict[str, Any]] = json.loads(ran.stdout)
        assert len(answers) == len(asked), "a world has no answer"
        return answers


@pytest.fixture(scope="session")
def judge(opa: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    root = tmp_path_factory.mktemp("worlds")
    content = Builder(root / "state", opa).content(PolicySource(checkout, "dev"), NOW)
    assert not isinstance(content, Problems), content
    return Judge(opa, root, content)


def asked(server: str, method: str, **more: Any) -> dict[str, Any]:
    """Return a question of the anonymous agent."""
    return {
        "schema": "mcp.input/v1",
        "phase": "request",
        "message": {"method": method, "kind": "request", "revision": "2025-11-25", "era": "legacy", "retry": {}},
        "principal": {"kind": "anonymous", "method": "none", "groups": []},
        "client": {},
        "server": {"id": server},
        "context": {"time": {"unix_ns": NOW_NS}},
        **more,
    }


def calls_of(server: str, item: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the calls that an item would be, with several arguments."""
    schemas = ("match", "mismatch") if item["method"] == "tools/call" else ("none",)
    return [
        asked(
            server,
            item["method"],
            target=item["target"],
            definition=item["definition"],
            arguments=arguments,
            arguments_meta={"bytes": 2, "digest": "", "depth": 1, "schema": schema},
        )
        for arguments in ARGUMENTS
        for schema in schemas
    ]


def stated(world: World, data: dict[str, Any]) -> dict[str, Any]:
    """Return a world as the judge reads it: its data, the list, and the calls that the items would be."""
    items = [
        {
            "message": asked(world.server, item["method"])["message"],
            "target": item["target"],
            "definition": item["definition"],
        }
        for item in world.items
    ]
    nothing = {"type": "none", "name": None, "uri": None}
    listing = asked(world.server, "tools/list", phase="list", target=nothing, items=items)
    return {"data": data, "listing": listing, "calls": [calls_of(world.server, item) for item in world.items]}


@settings(max_examples=8, phases=PHASES, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large))
@given(generated=st.lists(worlds(), min_size=6, max_size=6))
def test_an_item_is_listed_exactly_when_its_call_has_no_refusal_that_is_free_of_arguments(
    judge: Judge, generated: list[World]
) -> None:
    answers = judge.judge([stated(world, judge.data(world.files)) for world in generated])
    for world, answer in zip(generated, answers, strict=True):
        for item, verdict, calls in zip(world.items, answer["listed"], answer["calls"], strict=True):
            for call in calls:
                said = json.dumps(world.files), item, call["decision"]
                assert sorted(verdict["refused_by"]) == sorted(call["free"]), said
                assert verdict["listed"] == (not call["free"])
                if call["decision"]["outcome"] != "deny":
                    assert verdict["listed"], "what can be called is not listed"


CAPABILITIES: Final = {
    "tools": ("tools/call",),
    "prompts": ("prompts/get",),
    "resources": ("resources/read",),
    "completions": ("prompts/get", "resources/read"),
}
"""What a server can do, and the calls that it is for."""


def offered(world: World, data: dict[str, Any]) -> dict[str, Any]:
    """Return a world in which a list has, before its items, a message without a target and what the server can do."""
    whole = stated(world, data)
    messages = [("tools/list", None), *((OF_SERVER[name], name) for name in CAPABILITIES)]
    first = [
        {
            "message": asked(world.server, method)["message"],
            "target": {"type": "none", "name": name, "uri": None},
            "definition": None,
        }
        for method, name in messages
    ]
    return {**whole, "calls": [], "listing": {**whole["listing"], "items": first + whole["listing"]["items"]}}


@settings(max_examples=5, phases=PHASES, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large))
@given(generated=st.lists(worlds(), min_size=6, max_size=6))
def test_who_may_call_something_learns_that_the_server_can_do_it(judge: Judge, generated: list[World]) -> None:
    answers = judge.judge([offered(world, judge.data(world.files)) for world in generated])
    for world, answer in zip(generated, answers, strict=True):
        connected, *verdicts = (verdict["listed"] for verdict in answer["listed"])
        capabilities = dict(zip(CAPABILITIES, verdicts, strict=False))
        items = list(zip(world.items, verdicts[len(CAPABILITIES) :], strict=True))
        for name, methods in CAPABILITIES.items():
            callable_ = any(listed and item["method"] in methods for item, listed in items)
            assert capabilities[name] or not (connected and callable_), (json.dumps(world.files), name)


@settings(max_examples=5, phases=PHASES, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large))
@given(generated=st.lists(st.tuples(worlds(), st.randoms(use_true_random=False)), min_size=4, max_size=4))
def test_the_order_of_rules_and_files_changes_nothing(judge: Judge, generated: list[tuple[World, Any]]) -> None:
    questions: list[dict[str, Any]] = []
    for world, random in generated:
        rules = [dict(rule) for rule in world.files["rules/r.yaml"]["rules"]]
        random.shuffle(rules)
        middle = random.randrange(len(rules) + 1)
        parts = {"rules/z.yaml": rules[:middle], "rules/a.yaml": rules[middle:]}
        others = {name: value for name, value in world.files.items() if name != "rules/r.yaml"}
        spread = others | {name: {"rules": part} for name, part in parts.items() if part}
        questions += [stated(world, judge.data(world.files)), stated(world, judge.data(spread))]
    answers = judge.judge(questions)
    for before, after in zip(answers[::2], answers[1::2], strict=True):
        assert before == after


def test_what_is_generated_is_worth_judging(judge: Judge) -> None:
    listed, outcomes = set[bool](), set[str]()

    @seed(1)
    @settings(max_examples=3, phases=PHASES, suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large))
    @given(generated=st.lists(worlds(), min_size=10, max_size=10))
    def look(generated: list[World]) -> None:
        for answer in judge.judge([stated(world, judge.data(world.files)) for world in generated]):
            listed.update(verdict["listed"] for verdict in answer["listed"])
            outcomes.update(call["decision"]["outcome"] for calls in answer["calls"] for call in calls)

    look()
    assert listed == {True, False}
    assert outcomes == {"allow", "deny", "hold"}
