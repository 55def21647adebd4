"""Explanation of a recorded call by the bundle that decided it: requirements, rules, and changes that would flip it.

Rule 1: OPA evaluates the requirements on the recorded question. The recorded outcome and the repeated decision are
shown separately.
Rule 2: a requirement that reads a masked value is reported as unknown, and no change is proposed.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct

from gateway.admission.decision import PolicyFailure, Resolved
from gateway.artifact.json_narrowing import Json, is_object
from gateway.authoring.difference.rules import exception_words
from gateway.opa.answer import PolicyAnswer, read_decision
from gateway.opa.client import DECISION
from gateway.opa.transport import Broken, Exchanged, Transport
from gateway.policy.rules.condition_descriptions import condition_words
from gateway.policy.rules.facts_for_replay import stated_facts
from gateway.policy.rules.masked_reads import RULES
from gateway.policy.rules.rule_conditions import EXCEPTION, conditions_of
from gateway.protocol.json_pointers import keys_of
from gateway.review.candidate import Candidate
from gateway.review.masked_fields import Readings, withheld
from gateway.review.recorded_decision import RecordedDecision
from gateway.review.replayed_outcome import ReplayedOutcome, Unanswered, judged
from gateway.review.replaying import PATIENCE_S
from gateway.review.sidecar import STATE
from gateway.review.whatif.arguments import ABSENT, at
from gateway.review.whatif.patched_world import World
from gateway.review.whatif.question_context import WhatIfCase
from gateway.review.whatif.search import Searched, search

_OK: Final = 200
_MOST_VALUES: Final = 8
_MOST_NEAR: Final = 5
_UNTELLING: Final = ("principal.", "context.time.", "message.", "schema", "definition.")
"""Fields that hardly differ between calls; they are not shown as the cause of a decision."""


class RequirementResult(Struct, frozen=True, kw_only=True):
    """The result of a requirement; None if masking or OPA leaves it unknown, or if it does not check arguments."""

    name: str
    title: str
    met: bool | None
    met_by_arguments: bool | None
    because: tuple[str, ...] = ()
    values: tuple[tuple[str, Any], ...] = ()
    """The fields that it read, with their values, if it is not met."""
    masked: bool = False

    @property
    def holds(self) -> bool | None:
        """True or false if it is met for this call or not, None if unknown."""
        if self.met is None:
            return None
        return self.met and self.met_by_arguments is not False


class RuleThere(Struct, frozen=True, kw_only=True):
    """A rule of the bundle that allowed or refused the call, or nearly applied to it."""

    rule: str
    effect: str
    file: str
    line: int
    owner: str
    because: str
    conditions: tuple[str, ...] = ()
    """Its argument conditions, each with the compared value, and its exception."""
    applied: bool = True
    misses: tuple[str, ...] = ()
    """The fields of a rule that nearly applied which do not match the call."""


class Explanation(Struct, frozen=True, kw_only=True):
    """All findings about one decision."""

    again: ReplayedOutcome | Unanswered | None
    """The decision on the recorded question; None if the question was not recorded."""
    requirements: tuple[RequirementResult, ...]
    rules: tuple[RuleThere, ...]
    masked: tuple[str, ...]
    """The requirements whose result is unknown because of masking."""
    searched: Searched | None
    data: tuple[str, ...] = ()
    """The data classes of the target; empty if they are unknown or the environment lists none."""
    reach: str = ""
    """The reach of the target, `internal` or `external`; empty if unknown."""


async def explained(exchange: Transport, candidate: Candidate, row: RecordedDecision) -> Explanation:
    """Return the explanation of the bundle's decision on a recorded question."""
    prevented = Readings(candidate.data).prevented(row, withheld(row))
    row = msgspec.structs.replace(row, input=stated_facts(row.input, candidate.data))
    standing = tuple(_standings(candidate.data, row, await _state(exchange, row.input), frozenset(prevented)))
    answer = await _asked(exchange, DECISION, {"input": row.input})
    decided = answer if isinstance(answer, str) else read_decision(answer)
    again = Unanswered(answer) if isinstance(answer, str) else judged(answer, row.input)
    scene = _scene(candidate, row, decided, again) if not prevented else None
    resolved = decided.result.resolved if isinstance(decided, PolicyAnswer) else Resolved()
    return Explanation(
        again=again,
        requirements=standing,
        rules=(*_grounds(candidate.data, row.input, decided), *_near(scene)),
        masked=tuple(prevented),
        searched=None if scene is None else await search(exchange, scene),
        data=tuple(resolved.data or ()),
        reach=resolved.reach or "",
    )


def _scene(
    candidate: Candidate,
    row: RecordedDecision,
    decided: PolicyAnswer | PolicyFailure | str,
    again: ReplayedOutcome | Unanswered,
) -> WhatIfCase | None:
    if not isinstance(decided, PolicyAnswer) or isinstance(again, Unanswered):
        return None
    return WhatIfCase(world=World(row.input, candidate.data), decision=decided.result, outcome=again.outcome)


async def _state(exchange: Transport, question: Json) -> Json:
    """Return the result of each requirement for the question; empty if OPA does not return it."""
    answer = await _asked(exchange, STATE, {"input": {"question": question}})
    if isinstance(answer, str) or answer.status != _OK:
        return {}
    try:
        told: Any = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return {}
    found = told.get("result") if is_object(told) else None
    return found if is_object(found) else {}


async def _asked(exchange: Transport, path: str, body: Json) -> Exchanged | str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = await exchange.exchange(path, orjson.dumps(body))
    except TimeoutError:
        return f"OPA did not answer within {PATIENCE_S:.0f} s"
    return answer.detail if isinstance(answer, Broken) else answer


def _standings(data: Json, row: RecordedDecision, state: Json, masked: frozenset[str]) -> Iterator[RequirementResult]:
    reads = Readings(data).of(row.server)
    for name, about in sorted(data.get("requirements", {}).items()):
        told = state.get(name)
        if name in masked or not is_object(told):
            yield RequirementResult(
                name=name, title=about["title"], met=None, met_by_arguments=None, masked=name in masked
            )
            continue
        standing = RequirementResult(
            name=name,
            title=about["title"],
            met=told["met"],
            met_by_arguments=told["met_by_arguments"] if about.get("arguments") else None,
        )
        if not standing.holds:
            values = tuple(_values(row.input, reads.get(name, ())))[:_MOST_VALUES]
            because = tuple(sorted(map(str, told["because"])))
            standing = msgspec.structs.replace(standing, because=because, values=values)
        yield standing


def _values(question: Json, places: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for place in places:
        if place.startswith(_UNTELLING):
            continue
        found: Any = question
        for part in place.split(".") if place else ():
            found = found.get(part) if is_object(found) else None
        if found is not None:
            yield place or "input", found


def _grounds(data: Json, question: Json, decided: PolicyAnswer | PolicyFailure | str) -> Iterator[RuleThere]:
    """Yield the rules that a decision names as its grounds."""
    for ground in decided.result.grounds if isinstance(decided, PolicyAnswer) else ():
        rule: Json = data.get("rules", {}).get(ground.rule, {})
        there = _there(ground.rule, rule, question)
        yield msgspec.structs.replace(there, effect=ground.effect, owner=ground.owner, because=ground.because)


def _near(scene: WhatIfCase | None) -> Iterator[RuleThere]:
    """Yield the permissions that nearly applied, if the rules refused the call."""
    if scene is None or RULES not in scene.unmet:
        return
    near = scene.rules("allow")[:_MOST_NEAR]
    for name, rule, misfits in near:
        if len(misfits) <= min(1, len(near[0][2])):
            there = _there(name, rule, scene.world.question)
            misses = tuple(f"{side}.{field}" for side, field in misfits)
            yield msgspec.structs.replace(there, applied=False, misses=misses)


def _there(name: str, rule: Json, question: Json) -> RuleThere:
    return RuleThere(
        rule=name,
        effect=str(rule.get("effect", "")),
        file=str(rule.get("file", "")),
        line=int(rule.get("line", 0)),
        owner=str(rule.get("owner", "")),
        because=str(rule.get("reason", "")),
        conditions=(
            *conditions_compared(rule, question.get("arguments", {})),
            *([f"unless {excepted}"] if (excepted := exception_words(rule)) else []),
        ),
    )


def conditions_compared(rule: Json, arguments: Any) -> tuple[str, ...]:
    """Return the conditions of a rule and of its exception in words, each with the value that it was compared with."""
    return tuple(_compared(pointer, condition, arguments) for pointer, condition in conditions_of(rule))


def _compared(pointer: str, condition: Json, arguments: Any) -> str:
    path = str(condition["path"])
    found = at(arguments, keys_of(path))
    was = "not there" if found is ABSENT else msgspec.json.encode(found).decode()
    exception = "unless " if pointer.startswith(EXCEPTION) else ""
    return f"{exception}{condition_words(condition)}; it was {was}"
