"""Send questions to a real OPA that has loaded the packed bundle.

Rule 1: one evaluation answers all questions. If one question ends in an error, each is evaluated alone.
Rule 2: an answer is a decision that the gateway accepts, or the reason why it is not valid.
Rule 3: the gateway's enforcement determines the outcome of an answer.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct

from gateway.admission.decision import Decision, FailureCode, PolicyFailure, Verdict
from gateway.admission.enforce import ruling
from gateway.admission.facts import with_facts
from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import Enforced
from gateway.policy.rego.opa_cli import OpaCommand, complaints, is_evaluation_error
from gateway.policy.smoke_test import ARCHIVE

_QUERY: Final = """[answers |
	credentials := input.credentials
	some question in input.questions
	answers := [answer | answer := data.mcp.admission.decision with input as question with data.index.credentials as credentials]
]"""  # noqa: E501 - `with` stands on one line


class NoDecision(Struct, frozen=True):
    """A missing or unusable answer of OPA; the gateway would refuse with this code."""

    why: str
    code: FailureCode = "policy_unavailable"


class Ruled(Struct, frozen=True):
    """OPA's answer to a question, and the gateway's resulting enforcement."""

    answer: Decision | NoDecision
    enforced: Enforced

    @property
    def rules(self) -> list[str]:
        """The rules that led to the outcome; empty if enforcement refuses a call that they allow."""
        if isinstance(self.answer, NoDecision) or self.answer.outcome != self.enforced.outcome:
            return []
        return [ground.rule for ground in self.answer.grounds]


class ScenarioOpa(Struct, frozen=True):
    """A bundle and an OPA that evaluates it; `credentials` is its index plus the credentials made for the questions."""

    opa: OpaCommand
    bundle: bytes
    credentials: Mapping[str, Any]

    def rulings(self, questions: Sequence[PolicyInput]) -> list[Ruled]:
        """Return the gateway's ruling on each question, in order."""
        answered = zip(questions, self.answers(questions), strict=True)
        return [Ruled(answer, _ruling(question, answer)) for question, answer in answered]

    def answers(self, questions: Sequence[PolicyInput]) -> list[Decision | NoDecision]:
        """Return one answer for each question, in order; if the policy needs facts, ask again with them."""
        first = self._answers(questions)
        needed = {
            number: with_facts(question, answer.needs_facts)
            for number, (question, answer) in enumerate(zip(questions, first, strict=True))
            if isinstance(answer, Decision) and answer.needs_facts
        }
        again = dict(zip(needed, self._answers(list(needed.values())), strict=True))
        return [again.get(number, answer) for number, answer in enumerate(first)]

    def _answers(self, questions: Sequence[PolicyInput]) -> list[Decision | NoDecision]:
        if not questions:
            return []
        with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
            (Path(scratch) / ARCHIVE).write_bytes(self.bundle)
            together = self._evaluated(questions, Path(scratch))
            if isinstance(together, list):
                return together
            alone = [self._evaluated([each], Path(scratch)) for each in questions]
        return [each if isinstance(each, NoDecision) else each[0] for each in alone]

    def _evaluated(self, questions: Sequence[PolicyInput], within: Path) -> list[Decision | NoDecision] | NoDecision:
        given = orjson.dumps({"questions": msgspec.to_builtins(list(questions)), "credentials": dict(self.credentials)})
        arguments = ("--format=json", "--strict-builtin-errors", "--bundle", ARCHIVE, "--stdin-input")
        ran = self.opa.run("eval", *arguments, _QUERY, within=within, stdin=given)
        if ran.code:
            code = "policy_error" if is_evaluation_error(ran) else "policy_unavailable"
            return NoDecision(" ".join(str(problem) for problem in complaints(ran)), code)
        try:
            found: list[Any] = ran.report()["result"][0]["expressions"][0]["value"]
        except (KeyError, IndexError, TypeError):
            return NoDecision("the decision is undefined")
        return [_read(answers) for answers in found]


def _ruling(question: PolicyInput, answer: Decision | NoDecision) -> Enforced:
    if isinstance(answer, NoDecision):
        return ruling(PolicyFailure(code=answer.code, detail=answer.why), question.target)
    return ruling(Verdict(decision=answer, revision="", decision_id="", micros=0), question.target)


def _read(answers: list[Any]) -> Decision | NoDecision:
    if len(answers) != 1:
        return NoDecision("the decision is undefined")
    try:
        return msgspec.convert(answers[0], Decision)
    except msgspec.ValidationError as error:
        return NoDecision(f"the decision is not valid: {error}")
