"""Parser of OPA responses: a status and a body become a decision with its revision, or a failure.

Rule 1: a response that does not match the types of `mcp.decision/v1` or `mcp.listing/v1` exactly is a failure.
Rule 2: an evaluation error and a query that OPA could not read are `policy_error`. The caller may have caused them, so
they do not count against OPA's health.
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
"""The name of the emergency bundle (the stops), which is also its root and its signature scope."""

_BUILTIN_FAILED: Final = "eval_builtin_error"
_BUILTIN: Final = re.compile(r"[a-z_]+(?:\.[a-z0-9_]+)*")
_REQUIREMENT: Final = re.compile(r"mcp/requirements/([a-z0-9_]{1,100})/")


class _Bundle(Struct):
    revision: str = ""


class _Provenance(Struct):
    bundles: dict[str, _Bundle] = field(default_factory=dict[str, _Bundle])


class PolicyAnswer(Struct):
    """A decision and its provenance."""

    result: Decision
    provenance: _Provenance


class ListingAnswer(Struct):
    """A listing and its provenance."""

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
    """Return the decision from a response of the decision path."""
    return _read(exchanged, _DECIDED)


def read_listing(exchanged: Exchanged) -> ListingAnswer | PolicyFailure:
    """Return the verdicts from a response of the listing path."""
    return _read(exchanged, _LISTED)


def revision_of(answer: PolicyAnswer | ListingAnswer, bundle: str = BUNDLE) -> str:
    """Return the revision of a bundle that produced the answer, empty if the provenance does not contain it."""
    found = answer.provenance.bundles.get(bundle)
    return "" if found is None else found.revision


def unavailable(detail: str) -> PolicyFailure:
    """Return the denial for an OPA that gave no usable response."""
    return PolicyFailure(code="policy_unavailable", detail=detail)


def late(seconds: float) -> PolicyFailure:
    """Return the denial for a response that missed its deadline."""
    return unavailable(f"OPA did not answer within {seconds * 1000:.0f} ms")


def _read(exchanged: Exchanged, decoder: msgspec.json.Decoder[_Answer]) -> _Answer | PolicyFailure:
    if exchanged.status != _OK:
        return _refused(exchanged)
    try:
        return decoder.decode(exchanged.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return unavailable(_misfit(exchanged.body, error))


def _misfit(body: bytes, error: Exception) -> str:
    """Return the reason why a 200 response is unusable. Without a bundle, OPA returns 200 and omits `result`."""
    try:
        result = _UNDECIDED.decode(body).result
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "OPA's response is not JSON"
    if result is msgspec.UNSET:
        return "OPA returned no decision: no policy bundle is active, or the bundle does not define one"
    return f"OPA's response has an unknown format: {error}"


def _refused(exchanged: Exchanged) -> PolicyFailure:
    try:
        refusal = _REFUSAL.decode(exchanged.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return unavailable(f"OPA returned HTTP {exchanged.status}")
    if exchanged.status in _QUESTION_REFUSED:
        return PolicyFailure(code="policy_error", detail=f"OPA could not read the query: {refusal.code}")
    evaluation = [problem for problem in refusal.errors if problem.code.startswith("eval_")]
    if not evaluation:
        return unavailable(f"OPA returned HTTP {exchanged.status} {refusal.code}".rstrip())
    return _evaluation_failure(evaluation[0])


def _without_operands(problem: _Problem) -> str:
    """Return OPA's message; for a built-in function error only the function name, as the rest quotes arguments."""
    if problem.code != _BUILTIN_FAILED:
        return problem.message
    name = problem.message.partition(":")[0]
    return f"{name if _BUILTIN.fullmatch(name) else 'a built-in function'} received invalid operands"


def _evaluation_failure(problem: _Problem) -> PolicyFailure:
    place = f" at {problem.location.file}:{problem.location.row}" if problem.location.file else ""
    named = _REQUIREMENT.search(problem.location.file)
    return PolicyFailure(
        code="policy_error",
        detail=f"{problem.code}: {_without_operands(problem)}{place}",
        requirement=named[1] if named else "",
    )
