"""Rules about hosts, domains and paths: gateway, scenarios, `ask`, `explain` and `replay` compute the same facts."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import Result
from msgspec import UNSET

from gateway.admission.decision import Verdict
from gateway.admission.enforce import ruling
from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import ANONYMOUS
from gateway.admission.record import Decided, Occasion
from gateway.admission.record_masking import Masking
from gateway.admission.recording import decided
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.library import library
from gateway.opa.client import Deadlines, OpaClient
from gateway.policy.build import Content
from gateway.policy.packed_bundle_answers import Ruled
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking, failed
from gateway.policy.scenario_question import ActingCaller, asked, question
from gateway.review.candidate import Candidate, from_bytes
from gateway.review.sidecar import Binary
from gateway.review.sidecar import asked as sidecar
from gateway.review.whatif.patched_world import indexed
from tests.recorded import NOW, write
from tests.unit.opa.support import MemoryHighwater

Write = Callable[[str, str], Path]
Run = Callable[..., Result]
RULES: Final = """
    rules:
      - rule: fetches-from-example
        effect: allow
        what: {servers: [demo], tools: [send_message]}
        arguments: [{path: /url, host: [example.com, "*.example.com", 203.0.113.7]}]
        reason: r
        owner: o
      - rule: writes-notes
        effect: allow
        what: {servers: [demo], tools: [write_file]}
        arguments: [{path: /path, within: [notes]}]
        reason: r
        owner: o
      - rule: runs
        effect: allow
        what: {servers: [demo], tools: [run_command]}
        reason: r
        owner: o
      - rule: nobody-mails-a-rival
        effect: deny
        what: {servers: [demo], tools: [run_command]}
        arguments: [{path: /to, any_element: {domain: [rival.example, "*.rival.example"]}}]
        reason: r
        owner: o
      - rule: reads
        effect: allow
        what: {servers: [demo], tools: [read_file]}
        reason: r
        owner: o
    """
CALLS: Final[list[tuple[str, dict[str, Any], str]]] = [
    ("send_message", {"url": "https://example.com/"}, "allow"),
    ("send_message", {"url": "https://API.Example.com.:8443/x?y=z"}, "allow"),
    ("send_message", {"url": "http://203.0.113.7/"}, "allow"),
    ("send_message", {"url": "https://example.com@rival.example/"}, "deny"),
    ("send_message", {"url": "https://example.com\\@rival.example/"}, "deny"),
    ("send_message", {"url": "https://example.com.rival.example/"}, "deny"),
    ("send_message", {"url": "https://notexample.com/"}, "deny"),
    ("send_message", {"url": "http://3405803783/"}, "deny"),
    ("send_message", {"url": ["https://example.com/"]}, "deny"),
    ("send_message", {}, "deny"),
    ("write_file", {"path": "notes/a.md"}, "allow"),
    ("write_file", {"path": "notes/../notes//a.md"}, "allow"),
    ("write_file", {"path": "notes/../welcome.md"}, "deny"),
    ("write_file", {"path": "notesx/a.md"}, "deny"),
    ("write_file", {"path": "notes\\..\\a.md"}, "deny"),
    ("write_file", {"path": "/notes/a.md"}, "deny"),
    ("run_command", {"to": ["a@example.com", "b@example.org"]}, "allow"),
    ("run_command", {"to": ["a@example.com", "b@Rival.example"]}, "deny"),
    ("run_command", {"to": ["a@example.com", "b@sub.rival.example"]}, "deny"),
    ("run_command", {"to": ["a@example.com", "Bob <b@example.org>"]}, "deny"),
    ("run_command", {"to": [f"a{number}@example.com" for number in range(101)]}, "deny"),
    ("run_command", {"to": []}, "deny"),
    ("read_file", {"path": "x"}, "allow"),
]
OUTCOMES: Final = [outcome for _, _, outcome in CALLS]


@pytest.fixture
def made(put: Write, content: Callable[[], Content]) -> Content:
    put("bundles/dev/rules/demo.yaml", RULES)
    scenarios = [
        {"scenario": f"s{number}", "agent": "dev", "server": "demo", "tool": tool, "arguments": arguments, "want": want}
        for number, (tool, arguments, want) in enumerate(CALLS)
    ]
    put("bundles/dev/scenarios/demo.yaml", json.dumps({"scenarios": scenarios}))
    return content()


def questions(made: Content) -> list[PolicyInput]:
    acting = ActingCaller(ANONYMOUS, "")
    entries = [{"agent": "dev", "server": "demo", "tool": tool, "arguments": said} for tool, said, _ in CALLS]
    return [question(asked(each, now=NOW), acting, made.data) for each in entries]


def candidate(made: Content) -> Candidate:
    found = from_bytes(packed(made), "here")
    assert isinstance(found, Candidate)
    return found


def packed(made: Content) -> bytes:
    return pack(made.files, BundleMetadata(environment="dev", seq=1), key=None).content


class Gateway:
    """What the gateway's client of OPA makes of the calls, and how often it asks."""

    def __init__(self, made: Content, opa: Path) -> None:
        self._made = made
        self._opa = opa
        self.asked: list[dict[str, Any]] = []

    async def verdicts(self) -> list[Verdict]:
        found: list[Verdict] = []
        async with sidecar(candidate(self._made), Binary(self._opa, library())) as exchange:
            whole = exchange.exchange

            async def counted(path: str, body: bytes | None = None) -> Any:
                if b'"mcp.input/v1"' in (body or b""):
                    self.asked.append(json.loads(body or b"")["input"])
                return await whole(path, body)

            exchange.exchange = counted
            client = OpaClient(
                exchange, MemoryHighwater(), ids=lambda: "d", deadlines=Deadlines(decision=30, listing=30)
            )
            for each in questions(self._made):
                verdict = await client.decide(each)
                assert isinstance(verdict, Verdict), verdict
                found.append(verdict)
        return found


def recorded(made: Content, verdicts: list[Verdict], level: str) -> list[Decided]:
    masking = Masking(level=level, key=b"k" * 32)  # pyright: ignore[reportArgumentType]
    return [
        decided(
            each,
            verdict,
            enforced=ruling(verdict, each.target),
            occasion=Occasion(call_id=f"call-{number:02}", unix_ns=each.context.time.unix_ns, monotonic_ns=1),
            masking=masking,
        )
        for number, (each, verdict) in enumerate(zip(questions(made), verdicts, strict=True))
    ]


def test_the_gateway_asks_once_more_and_from_then_on_with_facts(made: Content, opa: Path) -> None:
    gateway = Gateway(made, opa)
    verdicts = asyncio.run(gateway.verdicts())
    assert [each.decision.outcome for each in verdicts] == OUTCOMES
    assert [("facts" in each) for each in gateway.asked] == [False] + [True] * len(CALLS)
    assert gateway.asked[1]["facts"] == {"/url": {"host": "example.com"}}
    assert gateway.asked[1] == gateway.asked[0] | {"facts": gateway.asked[1]["facts"]}


def test_scenarios_and_ask_decide_as_the_gateway(made: Content, opa: Path, repository: Path, run: Run) -> None:
    rulings = asking(made, OpaCommand(opa), [ActingCaller(ANONYMOUS, "")]).rulings(questions(made))
    assert [each.enforced.outcome for each in rulings] == OUTCOMES
    assert all(isinstance(each, Ruled) for each in rulings)
    assert failed(made, OpaCommand(opa), NOW) == []
    for tool, arguments, outcome in (CALLS[1], CALLS[3], CALLS[17]):
        words = ("--agent", "dev", "--server", "demo", "--tool", tool, "--args", json.dumps(arguments), "--json")
        told = run("ask", "-d", repository, *words)
        assert json.loads(told.stdout)["decision"]["outcome"] == outcome, told.output


@pytest.mark.parametrize("level", ["full", "masked"])
def test_replay_and_explain_compute_the_facts_of_recorded_arguments(
    made: Content, opa: Path, run: Run, tmp_path: Path, level: str
) -> None:
    verdicts = asyncio.run(Gateway(made, opa).verdicts())
    records = recorded(made, verdicts, level)
    journal = write(tmp_path / "journal", records)
    assert all(each.input is None or each.input.facts is UNSET for each in records)
    bundle = tmp_path / "bundle.tar.gz"
    bundle.write_bytes(packed(made))
    told = run("replay", "--journal", journal, "--bundle", bundle, "--format", "json")
    report = json.loads(told.stdout)
    assert report["flips"] == [], told.output
    kept = report["outcomes"]
    assert (kept["allow"]["allow"], kept["deny"]["deny"]) == (OUTCOMES.count("allow"), OUTCOMES.count("deny"))
    for number in (1, 3, 17):
        told = run("explain", f"call-{number:02}", "--journal", journal, "--bundle", bundle, "--json")
        explanation = json.loads(told.stdout)["explanation"]
        assert explanation["again"]["outcome"] == OUTCOMES[number], told.output
        assert explanation["masked"] == [], told.output


def test_a_change_of_rules_that_explain_tries_is_indexed_with_its_facts(made: Content) -> None:
    rules = {**made.data["rules"]}
    del rules["nobody-mails-a-rival"]
    changed = {**made.data, "rules": rules}
    before = [each["path"] for each in made.data["index"]["facts"]["demo"]]
    after = [each["path"] for each in indexed(made.data, changed)["index"]["facts"]["demo"]]
    assert (before, after) == (["/path", "/to", "/url"], ["/path", "/url"])
