"""Bundle N-1 on gateway N and N on N-1: what an older or a newer build writes is read, or refused with its reason.

The forms of version 0.1.0 stand here as it wrote them; a newer build is one that says more than this one knows.
`earlier/` holds unsigned bundles of the demo environment as earlier commits built them, named by their commit.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
import pytest

from gateway.admission.decision import PolicyFailure
from gateway.admission.policy_input import SCHEMA as INPUT_SCHEMA
from gateway.admission.record_masking import Masking, masked
from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.bundle_data import data_of
from gateway.artifact.manifest import BundleMetadata, content_id
from gateway.artifact.pack import archived, canonical, pack
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import EnforcementContext, VerifyingKey, unenforceable, unsigned_by
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.opa.answer import PolicyAnswer, read_decision, revision_of
from gateway.opa.transport import Exchanged
from gateway.policy.build import Content
from gateway.policy.golden import read_golden, registered, undecided
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_question import acting, asked, question
from gateway.policy.sources.document import Document
from gateway.version import VERSION
from tests.contract.following import Following, following, until

KEY: Final = ephemeral_key()
ROOTS_OF_0_1_0: Final = ["agents", "catalog", "enforcement", "environment", "index", "mcp", "own", "required",
                         "requirements", "rules"]  # fmt: skip


def written(files: dict[str, bytes], metadata: dict[str, Any], key: SigningKey = KEY, **more: Any) -> bytes:
    """A signed bundle with a manifest of these words."""
    revision = f"{metadata['environment']}@{content_id(files)}.{metadata['seq']}"
    manifest = {"revision": revision, "roots": ROOTS_OF_0_1_0, "rego_version": 1, "metadata": metadata, **more}
    return archived({**files, ".manifest": canonical(manifest)}, key)


def taken(content: bytes, *, version: str = VERSION) -> Artifact | Rejected:
    """The artifact, or why this gateway would not enforce it."""
    read = read_artifact(content)
    if isinstance(read, Rejected):
        return read
    standing = EnforcementContext(
        environment="dev", highest_seq=0, unix_ns=time.time_ns(), version=version, input_schema=INPUT_SCHEMA
    )
    keys = [VerifyingKey(keyid=KEY.keyid, pem=KEY.public_pem)]
    return unsigned_by(read, keys) or unenforceable(read.manifest.metadata, standing) or read


async def decided(policy: Following, asked_of: Any, seq: int) -> PolicyAnswer:
    """The decision of the bundle with this number, read as the gateway reads it."""

    async def ask() -> PolicyAnswer | PolicyFailure:
        return read_decision(await policy.asked(asked_of))

    def holds(answer: PolicyAnswer | PolicyFailure) -> bool:
        return isinstance(answer, PolicyAnswer) and revision_of(answer).endswith(f".{seq}")

    return await until(ask, holds)


async def test_a_bundle_of_0_1_0_is_taken_and_decides(
    content: Callable[[], Content], opa: Path, tmp_path: Path
) -> None:
    made = content()
    old = written(made.files, {"environment": "dev", "seq": 41})
    read = taken(old)
    assert isinstance(read, Artifact)
    assert read.manifest.metadata == BundleMetadata(environment="dev", seq=41)
    stated = asked({"agent": "dev", "server": "demo", "tool": "read_file", "arguments": {"path": "a"}}, now=time.time())
    question_of = question(stated, acting(stated, made.environment.agents_by_id()), made.data)
    async with following(opa, KEY, tmp_path) as policy:
        policy.put(old, "41")
        assert (await decided(policy, msgspec.to_builtins(question_of), 41)).result.outcome == "allow"


EARLIER: Final = sorted((Path(__file__).parent / "earlier").glob("*.tar.gz"))


@pytest.fixture(params=EARLIER, ids=lambda place: place.name)
def earlier(request: pytest.FixtureRequest) -> Artifact:
    """The bundle of an earlier stock library, signed today."""
    built = read_artifact(request.param.read_bytes())
    assert isinstance(built, Artifact)
    found = read_artifact(archived(built.files, KEY))
    assert isinstance(found, Artifact)
    return found


def test_there_are_bundles_of_earlier_libraries() -> None:
    assert EARLIER


def test_a_bundle_of_an_earlier_library_decides_every_scenario_of_its_environment_as_wanted_then_and_now(
    earlier: Artifact, checkout: Path, opa: Path
) -> None:
    assert isinstance(taken(earlier.content), Artifact)
    golden, data = read_golden(checkout / "bundles/dev/scenarios/demo.yaml"), data_of(earlier)
    assert isinstance(golden, Document)
    assert len(golden.value["scenarios"]) > 10
    assert data is not None
    assert undecided(earlier, data, golden, opa=OpaCommand(opa), now=time.time()) == []


async def test_a_masked_record_keeps_only_what_an_earlier_bundle_reads(
    earlier: Artifact, opa: Path, tmp_path: Path
) -> None:
    data, seq = data_of(earlier), earlier.manifest.metadata.seq
    assert data is not None
    arguments = {"to": "bob@example.com", "text": "hi"}
    stated = asked({"agent": "dev", "server": "demo", "tool": "send_message", "arguments": arguments}, now=time.time())
    question_of = question(stated, acting(stated, registered(data)), data)
    async with following(opa, KEY, tmp_path) as policy:
        policy.put(earlier.content, str(seq))
        found = await decided(policy, msgspec.to_builtins(question_of), seq)
    reads = ["/arguments/path", "/arguments/to"] if "reads" in data["index"] else []
    assert (found.result.outcome, found.result.reads) == ("allow", reads)
    shown = masked(question_of, Masking(level="masked", key=b"k" * 32), found.result.reads).input
    assert shown is not None
    assert shown.arguments == {"to": arguments["to"] if reads else "[string of 15]", "text": "[string of 2]"}


NEWER: Final = """package mcp.admission

decision := {
	"schema": "mcp.decision/v1", "outcome": "deny", "score": 7, "notes": {"a": [1]},
	"reasons": [{"requirement": "r", "message": "m", "severity": "low", "remedy": "", "more": true}],
	"grounds": [{"rule": "g", "effect": "deny", "owner": "o", "because": "b", "expires": null, "file": "x", "line": 1}],
	"resolved": {"agent": {"id": "a", "team": "t"}, "server": {"id": "s", "region": "eu"}, "labels": []},
	"warnings": [], "shadow": [], "obligations": [], "observe": false,
}
"""


async def test_a_bundle_of_a_newer_build_is_taken_and_what_is_new_in_its_decisions_is_passed_over(
    opa: Path, tmp_path: Path
) -> None:
    metadata = {"environment": "dev", "seq": 42, "lowest_gateway": VERSION, "color": "blue", "risk": {"score": 7}}
    metadata |= {"library": {"version": "9.9.9", "digest": "f" * 64, "channel": "stable"}}
    newer = written({"data.json": b"{}", "mcp/admission/x.rego": NEWER.encode()}, metadata, wasm=[])
    read = taken(newer)
    assert isinstance(read, Artifact)
    assert read.manifest.metadata.library.version == "9.9.9"
    async with following(opa, KEY, tmp_path) as policy:
        policy.put(newer, "42")
        result = (await decided(policy, {}, 42)).result
    assert (result.outcome, [reason.requirement for reason in result.reasons]) == ("deny", ["r"])


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"lowest_gateway": "0.9.0"}, "bundle_needs_newer_gateway"),
        ({"lowest_gateway": "next"}, "bundle_needs_newer_gateway"),
        ({"input_schema": "mcp.input/v2"}, "bundle_input_unknown"),
        ({"schema": "mcp.bundle/v2"}, "bundle_unreadable"),
        ({"seq": "42"}, "bundle_unreadable"),
    ],
)
def test_what_an_older_gateway_may_not_enforce_says_so(metadata: dict[str, Any], code: str) -> None:
    files = {"data.json": b"{}", "mcp/admission/x.rego": NEWER.encode()}
    rejected = taken(written(files, {"environment": "dev", "seq": 42, **metadata}), version="0.1.0")
    assert isinstance(rejected, Rejected)
    assert rejected.code == code


def test_what_this_build_writes_is_enforced_by_the_lowest_gateway_that_it_names() -> None:
    packed = pack({"data.json": b"{}"}, BundleMetadata(environment="dev", seq=1), key=KEY)
    assert isinstance(taken(packed.content, version="0.1.0"), Artifact)


def test_an_outcome_that_this_gateway_does_not_know_is_no_decision() -> None:
    result: dict[str, Any] = {
        "schema": "mcp.decision/v1",
        "outcome": "ask",
        "reasons": [],
        "grounds": [],
        "resolved": {},
    }
    for outcome, kind in (("deny", PolicyAnswer), ("ask", PolicyFailure)):
        body = orjson.dumps({"result": {**result, "outcome": outcome}, "provenance": {}})
        assert isinstance(read_decision(Exchanged(200, body)), kind)


def test_either_of_two_keys_signs_while_both_are_valid() -> None:
    first, second, third = KEY, ephemeral_key(), ephemeral_key()
    keys = [VerifyingKey(keyid=key.keyid, pem=key.public_pem) for key in (first, second)]
    for signer, valid in ((first, True), (second, True), (third, False)):
        read = read_artifact(pack({"data.json": b"{}"}, BundleMetadata(environment="dev", seq=1), key=signer).content)
        assert isinstance(read, Artifact)
        assert (unsigned_by(read, keys) is None) == valid
