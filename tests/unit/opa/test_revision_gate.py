"""A worker enforces revisions by number, manifest and time, and never without stops."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.app.bundle_requirements import GatewayDescription
from gateway.opa.client import DECISION, OpaClient
from gateway.opa.revision_gate import MANIFEST
from gateway.opa.transport import Broken, Exchanged
from tests.unit.opa.stub import GOOD
from tests.unit.opa.support import MemoryHighwater, question

SECOND = 10**9
NOW = 1_800_000_000 * SECOND
STOPS = "emergency@bbbbbbbbbbbb.%d"


def decided(seq: int = 1, stops: str = "") -> Exchanged:
    answer: Any = msgspec.json.decode(GOOD % seq)
    if stops:
        answer["provenance"]["bundles"]["emergency"] = {"revision": stops}
    return Exchanged(200, msgspec.json.encode(answer))


def manifest(seq: int = 1, **metadata: Any) -> Exchanged:
    revision = f"dev@aaaaaaaaaaaa.{seq}"
    told = {"revision": revision, "roots": ["mcp"], "metadata": {"environment": "dev", "seq": seq, **metadata}}
    return Exchanged(200, msgspec.json.encode({"result": told}))


class Opa:
    """An OPA in which a test changes decision and manifest."""

    def __init__(self) -> None:
        self.decision: Exchanged | Broken = decided()
        self.manifest: Exchanged | Broken = manifest()
        self.asked: list[str] = []

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        self.asked.append(path)
        return self.manifest if path == MANIFEST else self.decision

    async def close(self) -> None:
        pass


class Bed:
    def __init__(self, highwater: MemoryHighwater | None = None, **terms: Any) -> None:
        self.opa, self.now = Opa(), NOW
        self.client = OpaClient(self.opa, highwater or MemoryHighwater(), ids=lambda: "d")
        self.client.enforceable._wall_ns = lambda: self.now
        self.client.enforceable.terms = replace(GatewayDescription(environment="dev", version="1.2.0"), **terms)

    async def code(self) -> str:
        outcome = await self.client.decide(question())
        return outcome.code if isinstance(outcome, PolicyFailure) else ""


async def test_the_manifest_is_read_once_for_a_revision_before_its_first_decision_counts() -> None:
    bed = Bed()
    told: list[str] = []
    bed.client.on_revision = lambda: told.append(bed.client.standing)
    assert [await bed.code() for _ in range(3)] == ["", "", ""]
    assert bed.opa.asked.count(MANIFEST) == 1
    assert bed.opa.asked[0].startswith(DECISION)
    bed.opa.decision, bed.opa.manifest = decided(2), manifest(2)
    assert await bed.code() == ""
    assert bed.opa.asked.count(MANIFEST) == 2
    assert told == ["dev@aaaaaaaaaaaa.1", "dev@aaaaaaaaaaaa.2"]


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"environment": "production"}, "bundle_of_other_environment"),
        ({"input_schema": "mcp.input/v2"}, "bundle_input_unknown"),
        ({"lowest_gateway": "1.3.0"}, "bundle_needs_newer_gateway"),
        ({"not_after": "2020-01-01T00:00:00Z"}, "policy_expired"),
        ({"not_after": "soon"}, "bundle_unreadable"),
        ({"schema": "mcp.bundle/v2"}, "bundle_unreadable"),
    ],
)
async def test_a_policy_that_was_made_for_something_else_decides_nothing(metadata: dict[str, Any], code: str) -> None:
    bed = Bed()
    bed.opa.manifest = manifest(**metadata)
    assert [await bed.code() for _ in range(2)] == [code, code]
    assert bed.client.revision == "", "it was never enforced"
    bed.opa.decision, bed.opa.manifest = decided(2), manifest(2)
    assert await bed.code() == ""


@pytest.mark.parametrize(
    ("metadata", "reads_claims", "is_told"),
    [
        ({"library": {"version": "0.2.9", "digest": "x"}}, True, True),
        ({"library": {"version": "", "digest": ""}}, True, True),
        ({}, True, True),
        ({"library": {"version": "0.2.9", "digest": "x"}}, False, False),
        ({"library": {"version": "0.3.0", "digest": "x"}}, True, False),
        ({"library": {"version": "1.0.0", "digest": "x"}}, True, False),
    ],
)
async def test_a_library_without_unknown_claims_is_reported_if_jwts_are_accepted(
    metadata: dict[str, Any], *, reads_claims: bool, is_told: bool
) -> None:
    bed = Bed(reads_claims=reads_claims)
    bed.opa.manifest = manifest(**metadata)
    assert bed.client.enforceable.library_problem == ""
    assert await bed.code() == ""
    assert ("build the policy again" in bed.client.enforceable.library_problem) == is_told


async def test_an_opa_that_is_not_ours_may_enforce_any_environment() -> None:
    bed = Bed(environment="")
    bed.opa.manifest = manifest(environment="production")
    assert await bed.code() == ""


@pytest.mark.parametrize(
    "told",
    [Broken("gone"), Exchanged(401, b"{}"), Exchanged(200, b"{"), Exchanged(500, b"")],
    ids=["gone", "closed", "no JSON", "failing"],
)
async def test_a_policy_of_which_opa_tells_nothing_decides_nothing(told: Exchanged | Broken) -> None:
    bed = Bed()
    bed.opa.manifest = told
    assert await bed.code() == "policy_unavailable"


async def test_an_opa_without_a_manifest_decides_nothing() -> None:
    bed = Bed()
    bed.opa.manifest = Exchanged(200, b"{}")
    assert await bed.code() == "bundle_unreadable"


async def test_an_opa_that_hides_its_manifest_is_refused_with_a_remedy() -> None:
    bed = Bed()
    bed.opa.manifest = Exchanged(401, b"{}")
    outcome = await bed.client.decide(question())
    assert isinstance(outcome, PolicyFailure)
    assert f"GET {MANIFEST}" in outcome.detail


async def test_a_decision_that_was_overtaken_by_the_next_policy_is_asked_for_again() -> None:
    bed = Bed()
    bed.opa.manifest = manifest(2)
    assert await bed.code() == "policy_regressed"
    assert sum(path.startswith(DECISION) for path in bed.opa.asked) == 2


@pytest.mark.parametrize("stops", ["", STOPS % 5])
async def test_a_policy_ends_while_it_is_in_force_and_grace_is_added(stops: str) -> None:
    for grace_s in (0, 60):
        bed = Bed(grace_s=grace_s)
        bed.opa.decision = decided(1, stops)
        bed.opa.manifest = manifest(not_after="2999-01-01T00:00:00Z")
        assert await bed.code() == ""
        assert bed.client.enforceable.not_after == "2999-01-01T00:00:00Z"
        end = 32472144000 * SECOND + grace_s * SECOND
        bed.now = end
        assert await bed.code() == ""
        bed.now = end + 1
        assert await bed.code() == "policy_expired"


async def test_both_revisions_are_in_the_verdict_and_in_cache_keys() -> None:
    bed = Bed()
    bed.opa.decision = decided(1, STOPS % 5)
    verdict = await bed.client.decide(question())
    assert isinstance(verdict, Verdict)
    assert (verdict.revision, verdict.emergency) == ("dev@aaaaaaaaaaaa.1", STOPS % 5)
    assert verdict.standing == bed.client.standing == f"dev@aaaaaaaaaaaa.1 {STOPS % 5}"
    bed.opa.decision = decided(1, STOPS % 6)
    assert await bed.code() == ""
    assert verdict.standing != bed.client.standing


async def test_stops_are_never_undercut_not_even_after_a_restart() -> None:
    highwater = MemoryHighwater()
    bed = Bed(highwater)
    bed.opa.decision = decided(1, STOPS % 9)
    assert await bed.code() == ""
    assert highwater.seqs == {"dev": 1, "emergency": 9}
    bed.opa.decision = decided(1, STOPS % 8)
    assert await bed.code() == "policy_regressed"
    again = Bed(highwater)
    again.opa.decision = decided(1, STOPS % 8)
    assert await again.code() == "policy_regressed"
    again.opa.decision = decided(1)
    assert await again.code() == "policy_regressed", "without its stops an OPA that had them decides nothing"


async def test_a_managed_opa_needs_stops_to_decide_and_a_remote_opa_does_not() -> None:
    bed = Bed()
    bed.client.enforceable.stops_expected = True
    assert await bed.code() == "policy_unavailable"
    bed.opa.decision = decided(1, STOPS % 1)
    assert await bed.code() == ""
    assert await Bed().code() == ""


@pytest.mark.parametrize("stops", ["dev@aaaaaaaaaaaa.5", "emergency", "emergency@x.5"])
async def test_stops_of_another_name_are_none(stops: str) -> None:
    bed = Bed()
    bed.opa.decision = decided(1, stops)
    assert await bed.code() == "policy_unavailable"
