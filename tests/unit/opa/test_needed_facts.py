"""A policy that reads facts is queried again with them, and later queries include them at once."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.facts import PARSED, WORK
from gateway.admission.policy_input import PolicyInput
from gateway.opa.answer import PolicyAnswer
from gateway.opa.client import DECISION, LISTING, OpaClient
from gateway.opa.needed_facts import KNOWN, FactsNeeded
from gateway.opa.transport import Broken, Exchanged
from tests.unit.opa.support import MemoryHighwater, question

URL = "https://example.com/"
NEEDS = [{"path": "/url", "facts": ["host"]}]


class Needy:
    """An OPA whose policies need facts by their number; it uses the given revisions in turn."""

    def __init__(self, needs: dict[int, Any], revisions: Sequence[int] = (1,)) -> None:
        self.needs = needs
        self.revisions = list(revisions)
        self.asked: list[dict[str, Any]] = []
        self.fails_at = 0

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        assert path in {DECISION, LISTING}
        asked = msgspec.json.decode(body or b"")["input"]
        self.asked.append(asked)
        if len(self.asked) == self.fails_at:
            return Broken("gone")
        seq = self.revisions.pop(0) if len(self.revisions) > 1 else self.revisions[0]
        result: dict[str, Any] = {"schema": "mcp.decision/v1", "outcome": "deny", "reasons": [], "grounds": []}
        result |= {"resolved": {"agent": None, "server": None}}
        if self.needs.get(seq) and "facts" not in asked:
            result["needs_facts"] = self.needs[seq]
        provenance = {"bundles": {"policy": {"revision": f"dev@aaaaaaaaaaaa.{seq}"}}}
        return Exchanged(200, msgspec.json.encode({"result": result, "provenance": provenance}))

    async def close(self) -> None: ...

    @property
    def stated(self) -> list[Any]:
        """The facts of each question; None for one that states none."""
        return [asked.get("facts") for asked in self.asked]


def client(opa: Needy) -> OpaClient:
    return OpaClient(opa, MemoryHighwater(), ids=lambda: "decision-1")


HOST = {"/url": {"host": "example.com"}}


async def test_a_policy_that_needs_facts_is_asked_again_and_then_with_them_at_once() -> None:
    opa = Needy({1: NEEDS})
    asking = client(opa)
    verdict = await asking.decide(question(url=URL))
    assert isinstance(verdict, Verdict)
    assert not verdict.decision.needs_facts
    assert opa.stated == [None, HOST]
    await asking.revise(question(url="no url"))
    assert opa.stated == [None, HOST, {}]


async def test_a_repeated_query_differs_only_in_its_facts() -> None:
    opa = Needy({1: NEEDS})
    await client(opa).decide(question(url=URL, other=[1]))
    first, second = opa.asked
    assert second == first | {"facts": HOST}


async def test_a_policy_that_needs_no_facts_is_asked_once() -> None:
    opa = Needy({})
    asking = client(opa)
    for _ in range(3):
        await asking.decide(question(url=URL))
    assert opa.stated == [None, None, None]


async def test_a_policy_that_needs_no_facts_runs_no_code_that_computes_them() -> None:
    ran: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            ran[Path(frame.f_code.co_filename).name] += 1

    async def modules(needs: dict[int, Any]) -> set[str]:
        ran.clear()
        sys.setprofile(count)
        try:
            await client(Needy(needs)).decide(question(url=URL))
        finally:
            sys.setprofile(None)
        return {"facts.py", "url_hosts.py", "host_names.py"} & ran.keys()

    assert await modules({}) == set()
    assert ran["needed_facts.py"] <= 2  # the object is made, and asked once
    assert await modules({1: NEEDS}) == {"facts.py", "url_hosts.py", "host_names.py"}


async def test_needs_are_of_one_server() -> None:
    opa = Needy({1: NEEDS})
    asking = client(opa)
    await asking.decide(question("files", url=URL))
    await asking.decide(question("mail", url=URL))
    assert opa.stated == [None, HOST, None, HOST]


async def test_another_revision_is_queried_with_its_own_facts() -> None:
    needs = {1: NEEDS, 2: [{"path": "/file", "facts": ["path"]}]}
    opa = Needy(needs, [1, 1, 2])
    asking = client(opa)
    await asking.decide(question(url=URL, file="a/../b"))
    await asking.decide(question(url=URL, file="a/../b"))
    assert opa.stated == [None, HOST, HOST, None, {"/file": {"path": "b"}}]
    assert asking.revision == "dev@aaaaaaaaaaaa.2"


async def test_a_revision_between_two_queries_is_queried_with_its_own_facts() -> None:
    opa = Needy({1: NEEDS, 2: [{"path": "/file", "facts": ["path"]}]}, [1, 2])
    await client(opa).decide(question(url=URL, file="b"))
    assert opa.stated == [None, HOST, None, {"/file": {"path": "b"}}]


async def test_policies_that_follow_each_other_without_end_do_not_ask_without_end() -> None:
    opa = Needy(dict.fromkeys(range(1, 20), NEEDS), range(1, 20))
    assert isinstance(await client(opa).decide(question(url=URL)), Verdict)
    assert len(opa.asked) == 4


async def test_a_failure_of_either_question_is_the_answer() -> None:
    for number in (1, 2):
        opa = Needy({1: NEEDS})
        opa.fails_at = number
        failure = await client(opa).decide(question(url=URL))
        assert isinstance(failure, PolicyFailure)
        assert len(opa.asked) == number


async def test_needs_that_cannot_be_read_are_a_failure() -> None:
    for needs in ([{"path": "/url"}], [7], {"path": "/url"}, "host"):
        assert isinstance(await client(Needy({1: needs})).decide(question(url=URL)), PolicyFailure)


async def test_no_more_needs_are_remembered_than_is_bounded() -> None:
    facts, answers = FactsNeeded(), Needy({1: NEEDS})

    async def ask(asked: PolicyInput) -> PolicyAnswer | PolicyFailure:
        exchanged = await answers.exchange(DECISION, msgspec.json.encode({"input": asked}))
        assert isinstance(exchanged, Exchanged)
        return msgspec.json.decode(exchanged.body, type=PolicyAnswer)

    for number in range(KNOWN + 1):
        await facts.answered(question(f"s{number}", url=URL), "dev@aaaaaaaaaaaa.1", ask)
    answers.asked.clear()
    await facts.answered(question("s0", url=URL), "dev@aaaaaaaaaaaa.1", ask)
    await facts.answered(question(f"s{KNOWN}", url=URL), "dev@aaaaaaaaaaaa.1", ask)
    assert answers.stated == [None, HOST, HOST]


async def test_a_missing_parser_of_sql_is_logged_once_for_each_policy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.opa.needed_facts.is_available", lambda: False)
    asking = client(Needy({1: [{"path": "/sql", "facts": ["postgres"]}]}))
    for _ in range(3):
        await asking.decide(question(sql="SELECT 1"))
    (line,) = caplog.records
    assert "pip install 'mcp-admission[sql]'" in line.getMessage()
    hosts = client(Needy({1: NEEDS}))
    await hosts.decide(question(url=URL))
    assert caplog.records == [line]


async def test_statements_are_parsed_in_the_dialect_that_the_policy_reads() -> None:
    opa = Needy({1: [{"path": "/sql", "facts": ["postgres"]}]})
    await client(opa).decide(question(sql="SELECT 1; DELETE FROM t"))
    assert opa.stated == [None, {"/sql": {"postgres": ["delete", "select", "several"]}}]
    many = Needy({1: [{"path": "/all", "facts": ["postgres"]}]})
    await client(many).decide(question(all=["SELECT 1"] * 10))
    assert len(many.stated[1]) == WORK // (PARSED + 1)
