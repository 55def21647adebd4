"""Puts questions to a real OPA that has loaded the packed bundle.

Rule 1: one evaluation answers all questions; where one of them ends in an error, each is asked alone.
Rule 2: an answer is a decision as the gateway reads it, or says why it is none.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct

from gateway.admission.decision import Decision
from gateway.admission.policy_input import PolicyInput
from gateway.bundle.rehearse import ARCHIVE
from gateway.bundle.tool import Opa, complaints

_QUERY: Final = """[answers |
	credentials := input.credentials
	some question in input.questions
	answers := [answer | answer := data.mcp.admission.decision with input as question with data.index.credentials as credentials]
]"""  # noqa: E501 - `with` stands on one line


class NoDecision(Struct, frozen=True):
    """OPA gave no usable answer; the gateway would refuse."""

    why: str


class Asking(Struct, frozen=True):
    """A bundle and the OPA that answers from it; `credentials` is its index with those made up for the questions."""

    opa: Opa
    bundle: bytes
    credentials: Mapping[str, Any]

    def answers(self, questions: Sequence[PolicyInput]) -> list[Decision | NoDecision]:
        """One answer for each question, in order."""
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
            return NoDecision(" ".join(str(problem) for problem in complaints(ran)))
        try:
            found: list[Any] = ran.report()["result"][0]["expressions"][0]["value"]
        except (KeyError, IndexError, TypeError):
            return NoDecision("the decision is undefined")
        return [_read(answers) for answers in found]


def _read(answers: list[Any]) -> Decision | NoDecision:
    if len(answers) != 1:
        return NoDecision("the decision is undefined")
    try:
        return msgspec.convert(answers[0], Decision)
    except msgspec.ValidationError as error:
        return NoDecision(f"the decision is not one: {error}")
