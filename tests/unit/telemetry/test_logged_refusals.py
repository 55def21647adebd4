"""Every refusal code in the source is either logged or listed as not logged."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args, get_type_hints

from gateway.admission.decision import FailureCode
from gateway.identity.auth_errors import CAUSES
from gateway.listening.refused_connections import REMEDIES
from gateway.pipeline.ports import UpstreamFailure
from gateway.protocol.errors import FAILURES
from gateway.protocol.malformed import Fault
from gateway.telemetry.logged_refusals import AT_EDGE, AT_SOURCE, ELSEWHERE, JOURNALED

PACKAGE: Final = Path(__file__).resolve().parents[3] / "gateway"
REFUSING: Final = ("admission", "app", "identity", "middleware", "opa", "pipeline", "server", "upstream", "secrets.py")
"""Packages that pass messages on. A listener refuses connections: see `gateway.listening.refused_connections`."""
MADE_BY: Final = {
    *("own", "turn_away", "Refusal", "PolicyFailure", "UpstreamFailure", "TurnedAway", "Unauthenticated"),
    *("_turned_away", "_failed", "_refused", "_refusal", "_reason"),
}
NOT_A_CODE: Final = {"upstream_bodies"}
KNOWN: Final = Counter([*AT_SOURCE, *AT_EDGE, *ELSEWHERE, *(code for codes in JOURNALED.values() for code in codes)])
_CODE: Final = re.compile(r"[a-z]+(?:_[a-z]+)+")


def codes(source: str) -> Iterator[str]:
    """Return the refusal codes in a source: `code`, `cause`, and the first arguments of the calls in `MADE_BY`."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [keyword.value for keyword in node.keywords if keyword.arg in {"code", "cause"}]
        given += node.args[:2] if name in MADE_BY else []
        yield from (
            each.value
            for each in given
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and _CODE.fullmatch(each.value)
        )


def sources() -> Iterator[Path]:
    for name in REFUSING:
        yield from [PACKAGE / name] if name.endswith(".py") else sorted((PACKAGE / name).rglob("*.py"))


def found() -> set[str]:
    return {code for path in sources() for code in codes(path.read_text())} - NOT_A_CODE


def test_every_code_in_the_source_is_logged_or_said_not_to_be() -> None:
    unknown = found() - set(KNOWN)
    assert unknown == set(), "add it to a table of gateway.telemetry.logged_refusals"
    assert len(found()) > 30


def test_every_code_of_errors_causes_and_failures_is_in_a_table() -> None:
    of_upstreams = get_args(get_type_hints(UpstreamFailure)["code"])
    assert len(of_upstreams) > 3
    for table in (FAILURES, CAUSES, get_args(FailureCode), of_upstreams):
        assert set(table) - set(KNOWN) == set()
    assert set(get_args(FailureCode)) <= set(AT_SOURCE)


def test_every_code_is_in_one_table_only_and_none_is_of_the_past() -> None:
    assert [code for code, times in KNOWN.items() if times > 1] == []
    malformed = {f"malformed_{fault}" for fault in get_args(Fault)}
    assert set(KNOWN) - malformed - found() - set(FAILURES) - set(CAUSES) - set(get_args(FailureCode)) == set()


def test_a_new_code_is_seen() -> None:
    for source in (
        'own("new_code", "words")',
        'TurnedAway(code="new_code", detail="x")',
        'parts.turn_away("new_code", about)',
        'Unauthenticated(cause="new_code", reason="x")',
        'replace(failure, code="new_code")',
    ):
        assert list(codes(source)) == ["new_code"]


def test_each_cause_says_what_is_wrong_and_what_to_do() -> None:
    for cause in (*AT_SOURCE.values(), *AT_EDGE.values()):
        assert len(cause.what) > 15
        assert len(cause.remedy) > 15
    assert all(REMEDIES.values())
