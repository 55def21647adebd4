"""The result of a build, and its reproducibility."""

import io
import json
import tarfile
from pathlib import Path

from msgspec.structs import replace

from gateway import __version__
from gateway.artifact.artifact import Artifact, read_artifact
from gateway.policy.build import Builder, BuildStamp, Built, Content, PolicySource, issued
from gateway.policy.sources.problem import Problems

NOW = 1_795_000_000.0


def contents(bundle: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # pyright: ignore[reportOptionalMemberAccess]


def built(builder: Builder, source: PolicySource) -> Built:
    result = builder.build(source, NOW)
    assert isinstance(result, Built), result
    return result


def test_a_policy_repository_becomes_a_bundle(builder: Builder, source: PolicySource) -> None:
    bundle = built(builder, source)
    files = contents(bundle.content)
    assert sorted(files) == [
        "/.manifest",
        "/.signatures.json",
        "/data.json",
        "/mcp/admission/combiner.rego",
        "/mcp/admission/requirements.rego",
        "/mcp/lib/catalog/catalog.rego",
        "/mcp/requirements/server_is_listed/server_is_listed.rego",
    ]
    manifest = json.loads(files["/.manifest"])
    assert manifest["revision"] == bundle.revision == f"dev@{bundle.content_id}.1"
    assert (manifest["metadata"]["environment"], manifest["metadata"]["seq"]) == ("dev", 1)


def test_the_sequence_grows_with_every_build_and_the_content_id_stays(builder: Builder, source: PolicySource) -> None:
    first, second = built(builder, source), built(builder, source)
    assert (first.seq, second.seq) == (1, 2)
    assert first.content_id == second.content_id


def test_a_refused_build_uses_up_no_sequence_number(builder: Builder, source: PolicySource, policy: Path) -> None:
    built(builder, source)
    place = policy / "bundles/dev/environment.yaml"
    place.write_text("name: [\n")
    assert isinstance(builder.build(source, NOW), Problems)
    place.write_text("name: dev\n")
    assert built(builder, source).seq == 2


def issue(builder: Builder, source: PolicySource, terms: BuildStamp) -> Artifact:
    content = builder.content(source, terms.built)
    assert isinstance(content, Content), content
    read = read_artifact(issued(content, terms).content)
    assert isinstance(read, Artifact)
    return read


TERMS = BuildStamp(seq=int(NOW), built=NOW, days=90, commit="c" * 40, author="alice@example.com")


def test_an_issued_bundle_names_its_terms(builder: Builder, source: PolicySource) -> None:
    metadata = issue(builder, source, TERMS).manifest.metadata
    assert (metadata.environment, metadata.seq) == ("dev", 1_795_000_000)
    assert (metadata.commit, metadata.author) == ("c" * 40, "alice@example.com")
    assert (metadata.built, metadata.not_after) == ("2026-11-18T11:06:40Z", "2027-02-16T11:06:40Z")
    assert metadata.library.version == __version__
    assert len(metadata.library.digest) == 64
    assert (metadata.input_schema, metadata.lowest_gateway) == ("mcp.input/v1", "0.1.0")


def test_the_same_sources_under_the_same_terms_give_the_same_bytes(
    tmp_path: Path, opa: Path, stock: Path, source: PolicySource
) -> None:
    builders = [Builder(tmp_path / name, opa, stock=stock) for name in ("one", "two")]
    first, second = (issue(builder, source, TERMS) for builder in builders)
    assert first.content == second.content
    assert issue(builders[0], source, replace(TERMS, built=NOW + 1)).content != first.content


def test_a_development_bundle_never_ends(builder: Builder, source: PolicySource) -> None:
    read = read_artifact(built(builder, source).content)
    assert isinstance(read, Artifact)
    assert (read.manifest.metadata.not_after, read.manifest.metadata.commit) == ("", "")
    assert read.manifest.metadata.built == "2026-11-18T11:06:40Z"


def test_development_stays_above_what_was_enforced(builder: Builder, source: PolicySource) -> None:
    result = builder.build(source, NOW, above=1_795_000_000)
    assert isinstance(result, Built)
    assert result.seq == 1_795_000_001
    assert built(builder, source).seq == 1_795_000_002


def test_the_digest_of_the_library_depends_on_its_deciding_rego(
    builder: Builder, source: PolicySource, stock: Path, policy: Path
) -> None:
    before = issue(builder, source, TERMS).manifest.metadata.library
    requirement = "mcp/requirements/server_is_listed/server_is_listed"
    test = stock / f"{requirement}_test.rego"
    test.write_text(test.read_text() + "\ntest_more if true\n")
    (policy / "bundles/dev/environment.yaml").write_text("name: dev\ntime_zone: Europe/Zurich\n")
    assert issue(builder, source, TERMS).manifest.metadata.library == before
    place = stock / f"{requirement}.rego"
    place.write_text(place.read_text() + "\nmore := 1\n")
    assert issue(builder, source, TERMS).manifest.metadata.library.digest != before.digest
