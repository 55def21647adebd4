"""What a build makes, and that it makes the same twice."""

import io
import json
import tarfile
from pathlib import Path

from gateway.bundle.build import Builder, Built, PolicySource
from gateway.bundle.problem import Problems

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
