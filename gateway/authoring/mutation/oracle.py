"""Asks a real OPA whether a mutant lets pass what the original refuses.

Rule 1: looser is: allow for what was hold or deny, hold for what was deny, listed for what was not listed.
Rule 2: what has no answer counts as refused, as the gateway takes it; what looks looser counts only when OPA says the
same to the question alone and with strict built-in errors, as the gateway asks.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.emergency_bundle import ROOT
from gateway.artifact.json_types import Json
from gateway.artifact.manifest import ROOTS
from gateway.authoring.mutation.alterations import Patch
from gateway.authoring.mutation.question_matrix import Pair, QuestionMatrix
from gateway.policy.rego.opa_cli import OpaCommand

ASKED: Final = "asked.rego"
_WITH: Final = "\n\t\t".join(
    f'with data.{name} as object.get(policy, "{name}", {{}})'
    for name in (*(root for root in ROOTS if root != "mcp"), ROOT)
)
_QUERY: Final = f"""package asked

import data.mcp.admission

policies := [json.patch(input.table.bases[policy.base], policy.patch) | some policy in input.table.policies]

answers := [_answer(input.table.questions[pair[1]], pair[0]) | some pair in input.pairs]

_answer(question, number) := {{"outcomes": outcomes, "because": because, "listed": _listed(question, number)}} if {{
	policy := policies[number]
	decisions := {{decision | decision := admission.decision}} with input as question
		{_WITH}
	outcomes := {{decision.outcome | some decision in decisions}}
	because := {{reason.requirement | some decision in decisions; some reason in decision.reasons}}
}}

# Lists are asked about under the data as it is: a list asks what a call asks, by the same requirements.
_listed(question, number) := listed if {{
	input.table.policies[number].patch == []
	policy := policies[number]
	item := object.filter(question, ["message", "target", "definition"])
	list := object.union(object.remove(question, ["items", "arguments"]), {{"items": [item]}})
	listed := {{each.listed | some each in admission.listing.items}} with input as list
		{_WITH}
}} else := set()
"""
_OUTCOMES: Final = ("deny", "hold", "allow")
_CONFIRMED: Final = 6
"""How many of the answers that look looser are asked again, alone."""
_FEW: Final = 10
"""One of so many questions is asked that several requirements refuse."""
_RUNS: Final = 60
"""How often OPA is asked of one mutant at most: whatever fails all of these refuses nearly everything."""


class OracleAnswer(Struct, frozen=True):
    """What OPA says to a question: outcomes (one, or it has no answer), refusing requirements, what a list shows."""

    outcomes: list[str] = []
    because: list[str] = []
    listed: list[bool] = []

    @property
    def rank(self) -> int:
        """0 for what is refused, 1 for what is held, 2 for what is allowed."""
        one = self.outcomes[0] if len(self.outcomes) == 1 else "deny"
        return _OUTCOMES.index(one) if one in _OUTCOMES else 0

    @property
    def is_open(self) -> bool:
        """True where nothing could be looser."""
        return self.rank == len(_OUTCOMES) - 1 and self.listed != [False]

    def is_looser_than(self, other: "OracleAnswer") -> bool:
        """True where this lets more pass, or shows more."""
        return self.rank > other.rank or (self.listed == [True] and other.listed != [True])

    def words(self) -> str:
        """The answer for a person."""
        return f"{_OUTCOMES[self.rank]}, {'' if self.listed == [True] else 'not '}listed"


REFUSED: Final = OracleAnswer()


class Loosened(Struct, frozen=True):
    """A question that a mutant answers more loosely, and where it was asked."""

    environment: str
    patch: Patch
    question: Json
    before: OracleAnswer
    after: OracleAnswer

    def words(self) -> str:
        """The finding on one line, for a person."""
        asked, target = self.question, self.question.get("target")
        what = target or asked.get("message")
        under = f", with {', '.join(_place(each) for each in self.patch)}" if self.patch else ""
        return f"{self.environment}{under}: {what} was {self.before.words()}, is {self.after.words()}"


def _place(operation: Json) -> str:
    return f"{operation['op']} of {'/'.join(str(key) for key in operation['path'])}"


def _telling(answers: Mapping[Pair, OracleAnswer]) -> Iterator[tuple[Pair, OracleAnswer]]:
    """What one change could loosen: what one requirement refuses or holds, and few of what several do."""
    several = 0
    for pair, answer in answers.items():
        if answer.is_open:
            continue
        several += len(answer.because) > 1
        if len(answer.because) == 1 or several % _FEW == 0:
            yield pair, answer


class Oracle:
    """The answers of the unmutated policy, to be compared with those of mutants."""

    def __init__(self, opa: OpaCommand, table: QuestionMatrix, root: Path) -> None:
        self._opa = opa
        self._table = table
        given = [{"base": policy.base, "patch": policy.patch} for policy in table.policies]
        bases = [base.data for base in table.bases]
        self._given = msgspec.json.encode({"bases": bases, "policies": given, "questions": table.questions})
        answers = self._asked(table.pairs, root)
        self.before = dict(_telling(answers))

    def loosened(self, root: Path) -> Loosened | None:
        """A question that the policy at `root` answers more loosely than the unmutated one; None where none is."""
        after = self._asked(tuple(self.before), root)
        looser = [pair for pair, answer in after.items() if answer.is_looser_than(self.before[pair])]
        for pair in looser[:_CONFIRMED]:
            alone = self._evaluated([pair], root, "--strict-builtin-errors")
            if alone and alone[0].is_looser_than(self.before[pair]):
                return self._loosened(pair, alone[0])
        return None

    def _loosened(self, pair: Pair, after: OracleAnswer) -> Loosened:
        policy = self._table.policies[pair[0]]
        name = self._table.bases[policy.base].name
        return Loosened(name, policy.patch, self._table.questions[pair[1]], self.before[pair], after)

    def _asked(self, pairs: Sequence[Pair], root: Path) -> dict[Pair, OracleAnswer]:
        """The answers to all; where an error ends an evaluation, its half is asked in halves again."""
        found: dict[Pair, OracleAnswer] = {}
        waiting: list[Sequence[Pair]] = [pairs]
        for _ in range(_RUNS):
            if not waiting:
                break
            part = waiting.pop(0)
            told = self._evaluated(part, root)
            if told is not None:
                found |= dict(zip(part, told, strict=True))
            elif len(part) > 1:
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
        return {pair: found.get(pair, REFUSED) for pair in pairs}

    def _evaluated(self, pairs: Sequence[Pair], root: Path, *flags: str) -> list[OracleAnswer] | None:
        (root / ASKED).write_text(_QUERY, encoding="utf-8")
        given = msgspec.json.encode({"table": msgspec.Raw(self._given), "pairs": pairs})
        common = ("--format=raw", "--stdin-input", f"--data={ASKED}", "--data=mcp", "--ignore=*_test.rego")
        ran = self._opa.run("eval", *common, *flags, "data.asked.answers", within=root, stdin=given)
        try:
            told = msgspec.convert(ran.report(), list[OracleAnswer])
        except msgspec.ValidationError:
            return None
        return told if ran.code == 0 and len(told) == len(pairs) else None
