"""Replayed questions share an evaluation, and a failing question does not affect the others."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
import pytest

from gateway.opa.client import DECISION
from gateway.opa.transport import Broken, Exchanged
from gateway.review.masked_fields import Readings
from gateway.review.outcome_flips import Matrix
from gateway.review.recorded_decision import Left, RecordedDecision
from gateway.review.replaying import AT_ONCE, TOGETHER_AT_MOST, Replay
from tests.unit.review.conftest import a_question, a_row, data

ALLOW: Final[dict[str, Any]] = {
    "schema": "mcp.decision/v1",
    "outcome": "allow",
    "reasons": [],
    "grounds": [{"rule": "r", "effect": "allow"}],
    "resolved": {},
    "route": {"url": "https://mail.example/mcp"},
}
DENY: Final[dict[str, Any]] = {**ALLOW, "outcome": "deny", "grounds": [], "route": None}
ANSWERS: Final[dict[str, Any]] = {
    "b": DENY,
    "perhaps": {**ALLOW, "outcome": "perhaps"},
    "no route": {**ALLOW, "route": None},
    "obliged": {**ALLOW, "obligations": [{"requirement": "r", "type": "redact"}]},
}
ERROR: Final = Exchanged(500, b'{"code":"internal_error","errors":[{"code":"eval_type_error","message":"bad"}]}')


class Opa:
    """Denies mail to `b`, fails on mail to `bad`; `together` is what is wrong with answers to several questions."""

    def __init__(self, together: str = "") -> None:
        self.together = together
        self.asked: list[int] = []

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        asked: Any = orjson.loads(body or b"null")["input"]
        alone = path == DECISION
        questions: list[Any] = [asked] if alone else asked["questions"]
        self.asked.append(len(questions))
        if any(each["arguments"]["to"] == "gone" for each in questions):
            return Broken("OPA is gone")
        if any(each["arguments"]["to"] == "bad" for each in questions):
            return ERROR
        found = [ANSWERS.get(each["arguments"]["to"], ALLOW) for each in questions]
        if alone:
            return Exchanged(200, orjson.dumps({"result": found[0], "provenance": {"bundles": {}}}))
        return self._several({str(number): each for number, each in enumerate(found)})

    def _several(self, found: dict[str, Any]) -> Exchanged:
        match self.together:
            case "one is left out":
                found.pop("1")
            case "one is odd":
                found["1"] = {"outcome": "perhaps"}
            case "no result":
                return Exchanged(200, b"{}")
            case _:
                pass
        return Exchanged(200, orjson.dumps({"result": found}))

    async def close(self) -> None:
        pass


def asking(*to: str, whole: bool = True) -> Iterator[RecordedDecision]:
    return (a_row(a_question(to=each), outcome="allow", whole=whole) for each in to)


async def replayed(rows: Iterator[RecordedDecision | Left], opa: Opa | None = None) -> tuple[Matrix, Opa]:
    matrix, opa = Matrix(), opa or Opa()
    await Replay(exchange=opa, readings=Readings(data()), matrix=matrix).run(rows)
    return matrix, opa


async def test_several_questions_share_an_evaluation() -> None:
    matrix, opa = await replayed(asking("a", "b", "a"))
    assert matrix.comparison().outcomes == {("allow", "allow"): 2, ("allow", "deny"): 1}
    assert opa.asked == [3]


async def test_a_question_that_fails_says_nothing_about_its_neighbors() -> None:
    matrix, opa = await replayed(asking("a", "bad", "b"))
    found = matrix.comparison()
    assert found.outcomes == {("allow", "allow"): 1, ("allow", "deny"): 2}
    assert found.errors == {"policy_error: eval_type_error: bad": 1}
    assert opa.asked == [3, 1, 1, 1]


@pytest.mark.parametrize("wrong", ["one is left out", "one is odd", "no result"])
async def test_where_an_answer_to_several_does_not_fit_each_is_asked_alone(wrong: str) -> None:
    matrix, opa = await replayed(asking("a", "b", "a"), Opa(wrong))
    assert matrix.comparison().outcomes == {("allow", "allow"): 2, ("allow", "deny"): 1}
    assert opa.asked == [3, 1, 1, 1]


async def test_an_answer_that_is_not_a_decision_is_a_denial_as_the_gateway_takes_it() -> None:
    matrix, _ = await replayed(asking("a", "perhaps"))
    found = matrix.comparison()
    assert (found.outcomes, found.unanswered) == ({("allow", "allow"): 1, ("allow", "deny"): 1}, {})
    (said,) = found.errors
    assert said.startswith("policy_unavailable: OPA's response has an unknown format")


@pytest.mark.parametrize("lacking", ["no route", "obliged"])
async def test_an_allow_that_the_gateway_does_not_take_is_a_denial(lacking: str) -> None:
    matrix, _ = await replayed(asking("a", lacking))
    assert matrix.comparison().outcomes == {("allow", "allow"): 1, ("allow", "deny"): 1}


async def test_no_answer_is_counted_as_none() -> None:
    matrix, _ = await replayed(asking("a", "gone"))
    found = matrix.comparison()
    assert (found.outcomes, found.unanswered) == ({("allow", "allow"): 1}, {"OPA is gone": 1})


async def test_rows_are_read_as_they_are_needed() -> None:
    read = 0

    def counted() -> Iterator[RecordedDecision]:
        nonlocal read
        for row in asking(*["a"] * 1_000):
            read += 1
            yield row

    class Counting(Opa):
        async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
            assert read <= (sum(self.asked) + AT_ONCE * TOGETHER_AT_MOST)
            return await super().exchange(path, body)

    matrix, _ = await replayed(counted(), Counting())
    assert matrix.comparison().replayed == 1_000


async def test_a_masked_question_is_counted_and_never_sent() -> None:
    matrix, opa = await replayed(iter([*asking("[masked]", whole=False), Left("no_input", 2)]))
    assert matrix.comparison().left == {"masked": 1, "no_input": 2}
    assert opa.asked == []


async def test_an_error_of_the_row_source_ends_the_replay() -> None:
    def broken() -> Iterator[RecordedDecision]:
        yield from asking("a")
        raise ValueError("the journal is gone")

    with pytest.raises(ValueError, match="the journal is gone"):
        await replayed(broken())


class Hosts(Opa):
    """Denies what does not state that the host is `good.example`."""

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        del path
        asked: Any = orjson.loads(body or b"null")["input"]
        answers = [
            ALLOW if each.get("facts", {}).get("/to", {}).get("host") == "good.example" else DENY
            for each in asked["questions"]
        ]
        return Exchanged(200, orjson.dumps({"result": {str(number): each for number, each in enumerate(answers)}}))


async def test_facts_of_recorded_questions_are_computed_from_their_arguments() -> None:
    held = data("/to")
    held["index"]["facts"] = {"*": [], "mail": [{"path": "/to", "facts": ["host"]}]}
    matrix = Matrix()
    rows = asking("http://good.example/", "http://bad.example/", "http://a@good.example/")
    await Replay(exchange=Hosts(), readings=Readings(held), matrix=matrix).run(rows)
    assert matrix.comparison().outcomes == {("allow", "allow"): 1, ("allow", "deny"): 2}
