"""A bundle is verified, for its use and its roots, before it is offered to OPA."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import ROOTS, BundleMetadata
from gateway.artifact.pack import Packed, canonical, pack
from gateway.artifact.rejection import MEANINGS, Rejected
from gateway.artifact.signature_checks import EMERGENCY, POLICY, EnforcementContext, VerifyingKey, unsigned_by
from gateway.artifact.signing import ephemeral_key
from gateway.artifact.stops_bundle import EXTENDED, Stop, document, emergency_bundle
from gateway.follow.acceptance import (
    LIBRARY,
    POLICIES,
    STOPS,
    BundlePurpose,
    heedless,
    judged,
    offered,
    stops_in,
    understands,
)
from gateway.policy.rego.combiner import CombinedRequirement, combined

ROOT = Path(__file__).resolve().parents[3]
KEY, LOOPBACK = ephemeral_key(), ephemeral_key()
KEYS = [VerifyingKey(keyid=KEY.keyid, pem=KEY.public_pem)]
HERE = EnforcementContext(environment="dev", highest_seq=3, unix_ns=0, version="1.0.0", input_schema="mcp.input/v1")
THERE = replace(HERE, environment="emergency", highest_seq=0)
FILES = {"data.json": b"{}", "mcp/x.rego": b"package mcp.x\n"}
STOP = Stop(id="s1", kind="agent", name="bot", until_unix_ns=9, because="why", by="who", at="when")


def policy(seq: int = 3, roots: tuple[str, ...] = ROOTS, scope: str = POLICY) -> Packed:
    return pack(FILES, BundleMetadata(environment="dev", seq=seq), key=KEY, roots=roots, scope=scope)


def stops(data: Any, environment: str = "emergency", more: Mapping[str, bytes] | None = None) -> bytes:
    files = {"data.json": canonical(data), **(more or {})}
    metadata = BundleMetadata(environment=environment, seq=1)
    return pack(files, metadata, key=KEY, roots=("emergency",), scope=EMERGENCY).content


def code(content: bytes, use: BundlePurpose = POLICIES, standing: EnforcementContext = HERE) -> str:
    found = judged(content, use, KEYS, standing)
    return found.code if isinstance(found, Rejected) else ""


def test_an_accepted_bundle_has_the_received_content() -> None:
    found = judged(policy().content, POLICIES, KEYS, HERE)
    assert isinstance(found, Artifact)
    assert found.content == policy_bytes(found)


def with_requirements(*names: str) -> Artifact:
    text = combined([CombinedRequirement(name, False, True) for name in names])
    found = read_artifact(
        pack({COMBINED_REQUIREMENTS: text.encode()}, BundleMetadata(environment="dev", seq=3), key=KEY).content
    )
    assert isinstance(found, Artifact)
    return found


def test_a_policy_that_does_not_enforce_stops_is_rejected() -> None:
    assert heedless(with_requirements("nothing_is_stopped", "rules_permit")) is None
    for names in (["rules_permit"], ["nothing_is_stopped_here"], []):
        wrong = heedless(with_requirements(*names))
        assert wrong is not None
        assert wrong.code == "bundle_ignores_stops"
        assert "build it again" in str(wrong)
    nothing = read_artifact(policy().content)
    assert isinstance(nothing, Artifact)
    assert heedless(nothing) is not None


def policy_bytes(artifact: Artifact) -> bytes:
    return artifact.content


def test_the_offer_has_the_same_content_signed_with_the_loopback_key() -> None:
    found = judged(policy().content, POLICIES, KEYS, HERE)
    assert isinstance(found, Artifact)
    offer = offered(found, POLICIES, LOOPBACK)
    again = read_artifact(offer.content)
    assert isinstance(again, Artifact)
    assert (again.files, again.revision, offer.etag) == (found.files, found.revision, f'"{found.digest}"')
    assert unsigned_by(again, [VerifyingKey(keyid=LOOPBACK.keyid, pem=LOOPBACK.public_pem)]) is None
    assert unsigned_by(again, KEYS) is not None


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"nothing", "bundle_unreadable"),
        (policy(scope=EMERGENCY).content, "bundle_signature_invalid"),
        (policy(2).content, "policy_regressed"),
        (policy(roots=("mcp", "emergency")).content, "bundle_oversteps"),
        (policy(roots=("mcp", "system")).content, "bundle_oversteps"),
        (policy(roots=("",)).content, "bundle_oversteps"),
        (policy(roots=()).content, "bundle_oversteps"),
        (emergency_bundle([STOP], 5, KEY).content, "bundle_signature_invalid"),
    ],
)
def test_a_bundle_that_may_not_be_enforced_here_is_rejected(content: bytes, wanted: str) -> None:
    assert code(content) == wanted


def test_every_code_has_a_sentence() -> None:
    assert all(MEANINGS.values())
    assert str(Rejected("bundle_oversteps", "its roots")).startswith("bundle_oversteps: it claims")


def test_a_document_of_stops_is_read_back() -> None:
    found = judged(emergency_bundle([STOP], 5, KEY).content, STOPS, KEYS, THERE)
    assert isinstance(found, Artifact)
    assert stops_in(found) == (STOP,)


@pytest.mark.parametrize("kind", ["kind", "action"])
def test_a_document_of_newer_stops_is_read_back(kind: Any) -> None:
    newer = replace(STOP, id="s2", kind=kind, name="delete", also={"tag": "messaging"})
    found = judged(emergency_bundle([STOP, newer], 5, KEY).content, STOPS, KEYS, THERE)
    assert isinstance(found, Artifact)
    assert stops_in(found) == (STOP, newer)


def test_a_library_that_knows_the_newer_schema_is_recognized() -> None:
    for text, known in ((b'x == "mcp.emergency/v2"', True), (b'x == "mcp.emergency/v1"', False)):
        found = read_artifact(pack({LIBRARY: text}, BundleMetadata(environment="dev", seq=3), key=KEY).content)
        assert isinstance(found, Artifact)
        assert understands(found) is known
    assert EXTENDED in (ROOT / "rego" / LIBRARY).read_text()


NEWER_STOP = replace(STOP, kind="kind", name="cursor")
NEW: dict[str, Any] = document([NEWER_STOP])["emergency"]
WHOLE: dict[str, Any] = document([STOP])
INNER: dict[str, Any] = WHOLE["emergency"]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"emergency": {}},
        {**WHOLE, "mcp": {}},
        {"emergency": {**INNER, "schema": "mcp.emergency/v2"}},
        {"emergency": {**INNER, "allow": {}}},
        {"emergency": {**INNER, "kind": {"": []}}},
        {"emergency": {**NEW, "schema": "mcp.emergency/v1"}},
        {"emergency": {**NEW, "schema": "mcp.emergency/v3"}},
        {"emergency": {key: value for key, value in NEW.items() if key != "tag"}},
        {"emergency": {**NEW, "tag": {}}},
        {"emergency": {**NEW, "tag": None}},
        {"emergency": {**NEW, "kind": {"": [], "other": NEW["kind"]["cursor"]}}},
        {"emergency": {**NEW, "kind": {"": [], "cursor": [{**NEW["kind"]["cursor"][0], "also": {"kind": "cursor"}}]}}},
        {"emergency": {**NEW, "kind": {"": [], "cursor": [{**NEW["kind"]["cursor"][0], "also": {"weather": "x"}}]}}},
        {"emergency": {**INNER, "agent": {"": [], "bot": []}}},
        {"emergency": {**INNER, "agent": {"": [], "other": INNER["agent"]["bot"]}}},
        {"emergency": {**INNER, "agent": {"bot": INNER["agent"]["bot"]}}},
        {"emergency": {**INNER, "agent": {"": INNER["agent"]["bot"]}}},
        {"emergency": {**INNER, "server": INNER["agent"]}},
        {"emergency": {**INNER, "agent": {"": [], "bot": [{**INNER["agent"]["bot"][0], "until_unix_ns": "never"}]}}},
    ],
)
def test_an_invalid_document_of_stops_is_rejected(data: Any) -> None:
    assert code(stops(data), STOPS, THERE) == "bundle_unreadable"


def test_an_emergency_bundle_contains_only_its_document() -> None:
    assert code(stops(WHOLE, more={"emergency/x.rego": b"package emergency.x\n"}), STOPS, THERE) == "bundle_oversteps"
    assert code(stops(WHOLE, "dev"), STOPS, THERE) == "bundle_of_other_environment"
    policy_of_stops = pack(FILES, BundleMetadata(environment="emergency", seq=5), key=KEY, scope=EMERGENCY)
    assert code(policy_of_stops.content, STOPS, THERE) == "bundle_oversteps"
    assert orjson.loads(canonical(WHOLE)) == WHOLE
