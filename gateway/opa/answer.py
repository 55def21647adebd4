"""OPA's answer as a value: bytes and a status become a verdict with its revision, or a failure.

Rule 1: an answer that does not fit `mcp.decision/v1` or `mcp.listing/v1` to the letter of its type is no answer.
Rule 2: an evaluation error and a question that OPA could not read are `policy_error`: whoever asked may have caused
them, so they say nothing about OPA's health.
"""

import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, field

from gateway.admission.decision import Decision, Listing, PolicyFailure
from gateway.opa.transport import Exchanged

BUNDLE: Final = "policy"
"""The name of the policy bundle in OPA's configuration, and so in every provenance."""
EMERGENCY: Final = "emergency"
"""The name of the bundle of stops, which is also its root and the use that its signature is for."""

_BUILTIN_FAILED: Final = "eval_builtin_error"
_BUILTIN: Final = re.compile(r"[a-z_]+(?:\.[a-z0-9_]+)*")
_REQUIREMENT: Final = re.compile(r"mcp/requirements/([a-z0-9_]{1,100})/")


class _Bundle(Struct):
    revision: str = ""


class _Provenance(Struct):
    bundles: dict[str, _Bundle] = field(default_factory=dict[str, _Bundle])


class PolicyAnswer(Struct):
    """A decision and where it came from."""

    result: Decision
    provenance: _Provenance


class ListingAnswer(Struct):
    """A listing and where it came from."""

    result: Listing
    provenance: _Provenance


class _Undecided(Struct):
    result: Any = msgspec.UNSET


class _Location(Struct):
    file: str = ""
    row: int = 0


class _Problem(Struct):
    code: str = ""
    message: str = ""
    location: _Location = field(default_factory=_Location)


class _Refusal(Struct):
    code: str = ""
    message: str = ""
    errors: list[_Problem] = field(default_factory=list[_Problem])


_DECIDED: Final = msgspec.json.Decoder(PolicyAnswer)
_LISTED: Final = msgspec.json.Decoder(ListingAnswer)
_UNDECIDED: Final = msgspec.json.Decoder(_Undecided)
_REFUSAL: Final = msgspec.json.Decoder(_Refusal)

_Answer = TypeVar("_Answer", PolicyAnswer, ListingAnswer)

_OK: Final = 200
_QUESTION_REFUSED: Final = frozenset({400, 413})


def read_decision(exchanged: Exchanged) -> PolicyAnswer | PolicyFailure:
    """Return the decision in an answer of the decision path."""
    return _read(exchanged, _DECIDED)


def read_listing(exchanged: Exchanged) -> ListingAnswer | PolicyFailure:
    """Return the verdicts in an answer of the listing path."""
    return _read(exchanged, _LISTED)


def revision_of(answer: PolicyAnswer | ListingAnswer, bundle: str = BUNDLE) -> str:
    """Return the revision of a bundle that gave the answer, empty where the provenance does not say."""
    found = answer.provenance.bundles.get(bundle)
    return "" if found is None else found.revision


def unavailable(detail: str) -> PolicyFailure:
    """Return the denial for an OPA that gave no usable answer."""
    return PolicyFailure(code="policy_unavailable", detail=detail)


def late(seconds: float) -> PolicyFailure:
    """Return the denial for an answer that did not come in time."""
    return unavailable(f"OPA did not answer within {seconds * 1000:.0f} ms")


def _read(exchanged: Exchanged, decoder: msgspec.json.Decoder[_Answer]) -> _Answer | PolicyFailure:
    if exchanged.status != _OK:
        return _refused(exchanged)
    try:
        return decoder.decode(exchanged.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return unavailable(_misfit(exchanged.body, error))


def _misfit(body: bytes, error: Exception) -> str:
    """Return why a 200 is no answer; without a bundle OPA says 200 and leaves `result` out."""
    try:
        result = _UNDECIDED.decode(body).result
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "OPA's answer is not JSON"
    if result is msgspec.UNSET:
        return "OPA has no decision to give: no policy bundle is active, or it does not define one"
    return f"OPA's answer has an unknown shape: {error}"


def _refused(exchanged: Exchanged) -> PolicyFailure:
    try:
        refusal = _REFUSAL.decode(exchanged.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return unavailable(f"OPA answered HTTP {exchanged.status}")
    if exchanged.status in _QUESTION_REFUSED:
        return PolicyFailure(code="policy_error", detail=f"OPA could not read the question: {refusal.code}")
    evaluation = [problem for problem in refusal.errors if problem.code.startswith("eval_")]
    if not evaluation:
        return unavailable(f"OPA answered HTTP {exchanged.status} {refusal.code}".rstrip())
    return _evaluation_failure(evaluation[0])


def _without_operands(problem: _Problem) -> str:
    """Return OPA's message; of one about a built-in function only its name, because the rest quotes arguments."""
    if problem.code != _BUILTIN_FAILED:
        return problem.message
    name = problem.message.partition(":")[0]
    return f"{name if _BUILTIN.fullmatch(name) else 'a built-in function'} cannot take its operands"


def _evaluation_failure(problem: _Problem) -> PolicyFailure:
    place = f" at {problem.location.file}:{problem.location.row}" if problem.location.file else ""
    named = _REQUIREMENT.search(problem.location.file)
    return PolicyFailure(
        code="policy_error",
        detail=f"{problem.code}: {_without_operands(problem)}{place}",
        requirement=named[1] if named else "",
    )
