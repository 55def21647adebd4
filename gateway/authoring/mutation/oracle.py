"""Ask a real OPA whether a mutant permits a message that the original refuses.

Rule 1: an answer is looser if it is allow instead of hold or deny, hold instead of deny, or listed instead of not
listed.
Rule 2: a question without an answer counts as refused, as in the gateway. A looser answer counts only if OPA gives it
again to the single question with strict built-in errors, which is how the gateway asks.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.json_narrowing import Json
from gateway.artifact.manifest import ROOTS
from gateway.artifact.stops_bundle import ROOT
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

# Lists are evaluated only with the unpatched data: a list asks the same as a call, with the same requirements.
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
"""The maximum number of seemingly looser answers that are asked again, each alone."""
_FEW: Final = 10
"""Of the questions that several requirements refuse, one in this many is asked."""
_RUNS: Final = 60
"""The maximum number of OPA runs per mutant: a mutant that fails all of them refuses nearly everything."""


class OracleAnswer(Struct, frozen=True):
    """OPA's answer to a question: outcomes (valid if exactly one), refusing requirements, and the items in a list."""

    outcomes: list[str] = []
    because: list[str] = []
    listed: list[bool] = []

    @property
    def rank(self) -> int:
        """Return 0 for deny, 1 for hold, 2 for allow."""
        one = self.outcomes[0] if len(self.outcomes) == 1 else "deny"
        return _OUTCOMES.index(one) if one in _OUTCOMES else 0

    @property
    def is_open(self) -> bool:
        """Return whether no answer could be looser."""
        return self.rank == len(_OUTCOMES) - 1 and self.listed != [False]

    def is_looser_than(self, other: "OracleAnswer") -> bool:
        """Return whether this permits or lists more than the other."""
        return self.rank > other.rank or (self.listed == [True] and other.listed != [True])

    def words(self) -> str:
        """Return the answer as a text for people."""
        return f"{_OUTCOMES[self.rank]}, {'' if self.listed == [True] else 'not '}listed"


REFUSED: Final = OracleAnswer()


class Loosened(Struct, frozen=True):
    """A question that a mutant answers more loosely, with its environment and patch."""

    environment: str
    patch: Patch
    question: Json
    before: OracleAnswer
    after: OracleAnswer

    def words(self) -> str:
        """Return the finding as one line of text for people."""
        asked, target = self.question, self.question.get("target")
        what = target or asked.get("message")
        under = f", with {', '.join(_place(each) for each in self.patch)}" if self.patch else ""
        return f"{self.environment}{under}: {what} was {self.before.words()}, is now {self.after.words()}"


def _place(operation: Json) -> str:
    return f"{operation['op']} of {'/'.join(str(key) for key in operation['path'])}"


def _telling(answers: Mapping[Pair, OracleAnswer]) -> Iterator[tuple[Pair, OracleAnswer]]:
    """Yield the answers that one change could loosen: those refused by one requirement, and a few of the others."""
    several = 0
    for pair, answer in answers.items():
        if answer.is_open:
            continue
        several += len(answer.because) > 1
        if len(answer.because) == 1 or several % _FEW == 0:
            yield pair, answer


class Oracle:
    """The answers of the unmutated policy, for comparison with those of mutants."""

    def __init__(self, opa: OpaCommand, table: QuestionMatrix, root: Path) -> None:
        self._opa = opa
        self._table = table
        given = [{"base": policy.base, "patch": policy.patch} for policy in table.policies]
        bases = [base.data for base in table.bases]
        self._given = msgspec.json.encode({"bases": bases, "policies": given, "questions": table.questions})
        answers = self._asked(table.pairs, root)
        self.before = dict(_telling(answers))

    def loosened(self, root: Path) -> Loosened | None:
        """Return a question that the policy at `root` answers more loosely than the unmutated one, or None."""
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
        """Return the answers to all pairs; if an evaluation fails, split its questions in halves and try again."""
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
