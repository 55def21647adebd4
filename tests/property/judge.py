"""The stock policy in a real OPA, asked about generated worlds: many questions in one evaluation.

Rule 1: built-in errors are strict, as the gateway asks, so that an error in any question fails the evaluation.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from gateway.policy.build import Content
from gateway.policy.rules.policy_data import bundle_data
from gateway.policy.sources.environment import Environment, EnvironmentReader
from tests.property.worlds import ARGUMENTS, NOW_NS, World

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

decided := [{"decisions": decisions, "listings": listings} |
    some question in input.asked
    decisions := {decision | decision := admission.decision} with input as question
        with data.environment as input.data.environment
        with data.required as input.data.required
        with data.enforcement as input.data.enforcement
        with data.catalog as input.data.catalog
        with data.agents as input.data.agents
        with data.rules as input.data.rules
        with data.own as input.data.own
        with data.index as input.data.index
        with data.requirements as input.data.requirements
    listings := {listing | listing := admission.listing} with input as question
        with data.environment as input.data.environment
        with data.required as input.data.required
        with data.enforcement as input.data.enforcement
        with data.catalog as input.data.catalog
        with data.agents as input.data.agents
        with data.rules as input.data.rules
        with data.own as input.data.own
        with data.index as input.data.index
        with data.requirements as input.data.requirements
]

strict(name, question) if {
    mode := enforcement.mode(name) with input as question
    mode == "deny"
}
"""


class Judge:
    """The stock policy, ready to judge worlds."""

    def __init__(self, opa: Path, root: Path, content: Content) -> None:
        self._opa = opa
        self._root = root
        self._requirements: dict[str, Any] = content.data["requirements"]
        self._reader = EnvironmentReader()
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
        answers = self._evaluated("data.judged.answers", asked)
        assert len(answers) == len(asked), "a world has no answer"
        return answers

    def decided(self, data: dict[str, Any], asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return all decisions and listings on each question under one world's data: one of each, if all is well."""
        answers = self._evaluated("data.judged.decided", {"data": data, "asked": asked})
        assert len(answers) == len(asked), "a question has no answer"
        return answers

    def _evaluated(self, query: str, given: Any) -> list[dict[str, Any]]:
        flags = ["--strict-builtin-errors", "--format=raw", "--stdin-input", "--data=."]
        ran = subprocess.run(
            [str(self._opa), "eval", *flags, query],
            input=json.dumps(given).encode(),
            capture_output=True,
            cwd=self._root / "tree",
            check=False,
        )
        assert ran.returncode == 0, ran.stdout.decode()[:2000] + ran.stderr.decode()[:2000]
        answers: list[dict[str, Any]] = json.loads(ran.stdout)
        return answers


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
