"""The gateway, scenarios, `ask`, `explain` and `replay` take a decision by one function of enforcement.

Rule 1: that function is broken in one place, and each of them is looked at: none has a judgment of its own.
Rule 2: what enforcement refuses although OPA allows it reads the same in each of them.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from click.testing import Result

from gateway.admission import enforce as enforcement
from gateway.admission.decision import Decision
from gateway.admission.record import Decided
from gateway.admission.refusal import Refusal, own
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.policy.build import Content
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking, failed
from gateway.policy.scenario_question import acting, asked, question
from tests.fakes import World
from tests.recorded import records, write
from tests.unit.server.client import Browser

Write = Callable[[str, str], Path]
Run = Callable[..., Result]
NOW: Final = 1_795_000_000.0
READ: Final[dict[str, Any]] = {"tool": "read_file", "arguments": {"path": "welcome.md"}}
SCENARIO: Final = (
    "scenarios:\n  - {scenario: read, agent: dev, server: demo, tool: read_file,"
    " arguments: {path: welcome.md}, want: allow}\n"
)
ASK: Final = ("--agent", "dev", "--server", "demo", "--tool", "read_file", "--args", '{"path": "welcome.md"}')

Told = dict[str, str]


class Views:
    """What each of the five says of one call that the demo's rules allow: an outcome, and why."""

    def __init__(self, repository: Path, content: Content, opa: Path, run: Run, state: Path) -> None:
        self._repository, self._content, self._opa, self._run, self._state = repository, content, opa, run, state
        # What was recorded, and the bundle, are of the time before anything breaks.
        self._journal = write(state / "journal", records(content, opa, [READ]))
        self._bundle = state / "bundle.tar.gz"
        packed = pack(content.files, BundleMetadata(environment="dev", seq=1), key=None)
        self._bundle.write_bytes(packed.content)

    def told(self) -> Told:
        """What each of them says now."""
        return {
            "gateway": asyncio.run(self._gateway()),
            "scenarios": self._scenarios(),
            "ask": self._ask(),
            "explain": self._explain(),
            "replay": self._replay(),
        }

    async def _gateway(self) -> str:
        stated = asked({"agent": "dev", "server": "demo", **READ}, now=NOW)
        chosen = acting(stated, self._content.environment.agents_by_id())
        (decision,) = asking(self._content, OpaCommand(self._opa), [chosen]).answers(
            [question(stated, chosen, self._content.data)]
        )
        assert isinstance(decision, Decision)
        # The scripted server lists no such tool, so the decision is made of what OPA said of one that is listed.
        world = World(lambda _: decision)
        await Browser(world).legacy("tools/call", {"name": "read_file", "arguments": {"path": "welcome.md"}})
        decided = [each for each in world.journal.records if isinstance(each, Decided)]
        (record,) = [each for each in decided if each.method == "tools/call"]
        return f"{record.outcome} {_said(record.reasons)}"

    def _scenarios(self) -> str:
        problems = failed(self._content, OpaCommand(self._opa), NOW)
        return f"deny {problems[0]}" if problems else "allow"

    def _ask(self) -> str:
        told = self._run("ask", "-d", self._repository, *ASK, "--json")
        assert told.exit_code == 0, told.output
        decision = json.loads(told.stdout)["decision"]
        return f"{decision['outcome']} {[reason['message'] for reason in decision['reasons']]}"

    def _explain(self) -> str:
        told = self._run("explain", "call-0", "--journal", self._journal, "--bundle", self._bundle, "--json")
        assert told.exit_code == 0, told.output
        again = json.loads(told.stdout)["explanation"]["again"]
        return f"{again['outcome']} {again['reason']}"

    def _replay(self) -> str:
        told = self._run("replay", "--journal", self._journal, "--bundle", self._bundle, "--format", "json")
        report = json.loads(told.stdout)
        return f"deny {report['flips']}" if report["flips"] else "allow"


def _said(reasons: Any) -> str:
    return "; ".join(reason.message for reason in reasons)


@pytest.fixture
def views(
    repository: Path, content: Callable[[], Content], opa: Path, run: Run, put: Write, tmp_path: Path
) -> Callable[[], Views]:
    put("bundles/dev/scenarios/demo.yaml", SCENARIO)
    return lambda: Views(repository, content(), opa, run, tmp_path / "state")


def _broken(*_: object) -> Refusal:
    return own("policy_denied", "enforcement is broken on purpose")


def test_enforcement_that_is_broken_once_changes_all_of_them(
    views: Callable[[], Views], monkeypatch: pytest.MonkeyPatch
) -> None:
    each = views()
    assert {name: said.split()[0] for name, said in each.told().items()} == dict.fromkeys(
        ("gateway", "scenarios", "ask", "explain", "replay"), "allow"
    )
    monkeypatch.setattr(enforcement, "enforce", _broken)
    for name, said in each.told().items():
        assert said.startswith("deny"), name
        assert "broken on purpose" in said, name


LACKING: Final[list[tuple[dict[str, Any], str]]] = [
    ({"grounds": []}, "names no rule as its grounds"),
    ({"route": None}, "names no address of the server"),
    ({"obligations": [{"requirement": "r", "type": "redact", "params": {}}]}, "not supported here: redact"),
]


@pytest.mark.parametrize(("lacking", "why"), LACKING)
def test_what_the_gateway_does_not_take_as_an_allow_reads_the_same_in_all_of_them(
    views: Callable[[], Views], monkeypatch: pytest.MonkeyPatch, lacking: dict[str, Any], why: str
) -> None:
    each = views()
    whole = enforcement.enforce

    def lacks(answer: Any, *more: Any) -> Any:
        changed = msgspec.structs.replace(
            answer.decision, **{name: msgspec.convert(value, _TYPES[name]) for name, value in lacking.items()}
        )
        return whole(msgspec.structs.replace(answer, decision=changed), *more)

    monkeypatch.setattr(enforcement, "enforce", lacks)
    for name, said in each.told().items():
        assert said.startswith("deny"), name
        assert why in said, name


_TYPES: Final[dict[str, Any]] = {field.name: field.type for field in msgspec.structs.fields(Decision)}
