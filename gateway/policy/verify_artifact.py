"""Verify an artifact before it is published: its signer, its terms and its decisions.

Rule 1: the steps run in order and stop at the first failure, so that an unsigned bundle is never run.
Rule 2: the steps check the artifact, never its sources.
Rule 3: a skipped step is reported as left out, never as passed.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.artifact import Artifact
from gateway.artifact.bundle_data import DATA, data_of
from gateway.artifact.json_narrowing import Json
from gateway.artifact.rejection import Rejected
from gateway.artifact.signature_checks import EnforcementContext, VerifyingKey, unenforceable, unsigned_by
from gateway.policy import unpacked_tests
from gateway.policy.golden import undecided
from gateway.policy.rego.opa_cli import OpaCommand, complaints
from gateway.policy.rules.policy_data import derived
from gateway.policy.rules.rule_conditions import tests_of
from gateway.policy.smoke_test import ARCHIVE, loaded
from gateway.policy.sources.document import Document
from gateway.policy.sources.problem import Problem
from gateway.policy.unpacked_tests import UnpackedTests

_KEY: Final = "key.pem"
_READ: Final = "verified.tar.gz"
_NS: Final = 1_000_000_000
LEFT_OUT: Final = "left out"


class Step(Struct, frozen=True):
    """One step: its name, its problems (empty if it passes), and a note for a step that passes."""

    name: str
    problems: tuple[Problem, ...]
    told: str = ""


class ArtifactProof(Struct, frozen=True, kw_only=True):
    """The keys, context, tests and decisions to verify artifacts with; the time is that of the context."""

    opa: OpaCommand
    keys: tuple[VerifyingKey, ...]
    standing: EnforcementContext
    library: Path
    """The stock library, which lists the built-ins that policies may use."""
    tests: UnpackedTests | None
    """None leaves the tests out."""
    golden: tuple[Document, ...] = ()

    def steps(self, artifact: Artifact) -> Iterator[Step]:
        """Yield every step up to the first that fails."""
        for take in (_signature, _terms, _loads, _library, _tests, _golden):
            step = take(self, artifact)
            yield step
            if step.problems:
                return

    @property
    def now(self) -> float:
        """Unix seconds."""
        return self.standing.unix_ns / _NS


Taking = Callable[[ArtifactProof, Artifact], Step]


def _signature(proof: ArtifactProof, artifact: Artifact) -> Step:
    rejected = unsigned_by(artifact, proof.keys)
    if rejected is not None:
        return _rejected("signature", artifact, rejected)
    key = next(key for key in proof.keys if unsigned_by(artifact, [key]) is None)
    return Step("signature", tuple(_doubted(artifact, key, proof.opa)), f"by the key {key.keyid} ({key.algorithm})")


def _doubted(artifact: Artifact, key: VerifyingKey, opa: OpaCommand) -> list[Problem]:
    """Return the problems that a real OPA has with the signature."""
    with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
        within = Path(scratch)
        (within / ARCHIVE).write_bytes(artifact.content)
        (within / _KEY).write_text(key.pem, encoding="utf-8")
        verifying = (
            f"--verification-key={_KEY}",
            f"--verification-key-id={key.keyid}",
            f"--signing-alg={key.algorithm}",
        )
        ran = opa.run("build", "--bundle", ARCHIVE, *verifying, f"--output={_READ}", within=within)
    return [Problem(artifact.revision, 0, f"OPA rejects the bundle: {ran.said()}")] if ran.code else []


def _terms(proof: ArtifactProof, artifact: Artifact) -> Step:
    metadata = artifact.manifest.metadata
    rejected = unenforceable(metadata, proof.standing)
    if rejected is not None:
        return _rejected("terms", artifact, rejected)
    end = f"ends {metadata.not_after}" if metadata.not_after else "never ends"
    return Step("terms", (), f"{metadata.environment}, sequence number {metadata.seq}, {end}")


def _loads(proof: ArtifactProof, artifact: Artifact) -> Step:
    data = data_of(artifact)
    if data is None:
        return Step("loads", (Problem(DATA, 0, "is not valid policy data."),))
    patterns = {test.operand for rule in data["rules"].values() for test in tests_of(rule) if test.word == "matches"}
    with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
        (Path(scratch) / ARCHIVE).write_bytes(artifact.content)
        allowed = f"--capabilities={proof.library / 'capabilities.json'}"
        ran = proof.opa.run("check", "--strict", "--format=json", allowed, "--bundle", ARCHIVE, within=Path(scratch))
        rehearsal = loaded(patterns, proof.opa, Path(scratch))
    problems = [
        *complaints(ran),
        *rehearsal.problems,
        *(Problem(DATA, 0, f"`{each}` is not a valid regular expression.") for each in rehearsal.broken),
    ]
    return Step("loads", tuple(problems), "in OPA, and refuses an unknown caller")


def _library(proof: ArtifactProof, artifact: Artifact) -> Step:
    if proof.tests is None:
        return Step("library", (), LEFT_OUT)
    problems = unpacked_tests.foreign(artifact, proof.tests, proof.opa)
    if not problems and not _is_indexed(data_of(artifact) or {}):
        problems = [Problem(DATA, 0, "has an index that does not match the rest of its data.")]
    return Step("library", tuple(problems), f"the stock library {proof.tests.known.version}, unchanged")


def _is_indexed(data: Json) -> bool:
    """Return whether the indexes are those that the build derives from the rest of the data."""
    made = derived(data)
    return msgspec.json.decode(msgspec.json.encode(made)) == {key: data["index"].get(key) for key in made}


def _tests(proof: ArtifactProof, artifact: Artifact) -> Step:
    if proof.tests is None:
        return Step("tests", (), LEFT_OUT)
    problems = unpacked_tests.untested(artifact, proof.tests) or unpacked_tests.failed(artifact, proof.tests, proof.opa)
    return Step("tests", tuple(problems), "pass on the Rego that it carries")


def _golden(proof: ArtifactProof, artifact: Artifact) -> Step:
    data = data_of(artifact) or {}
    problems = [
        problem
        for document in proof.golden
        for problem in undecided(artifact, data, document, opa=proof.opa, now=proof.now)
    ]
    count = sum(len(document.value["scenarios"]) for document in proof.golden)
    return Step(
        "golden", tuple(problems), f"{count} decisions are as wanted" if count else "left out: no file was given"
    )


def _rejected(name: str, artifact: Artifact, rejected: Rejected) -> Step:
    return Step(name, (Problem(artifact.revision, 0, f"{rejected}."),))
