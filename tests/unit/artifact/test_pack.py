"""Bundles are reproducible to the byte, and their JSON is in the form that OPA hashes."""

import hashlib
import io
import tarfile
from typing import Any

import jwt
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.artifact.manifest import BundleMetadata, content_id
from gateway.artifact.pack import canonical, pack
from gateway.artifact.signing import ephemeral_key

FILES = {"data.json": b"{}", "mcp/admission/x.rego": b"package mcp.admission\n"}


def test_the_same_content_and_sequence_give_the_same_bytes() -> None:
    turned = dict(reversed(FILES.items()))
    assert pack(FILES, BundleMetadata(environment="dev", seq=3), key=None) == pack(
        turned, BundleMetadata(environment="dev", seq=3), key=None
    )


def test_a_bundle_contains_no_data_of_the_machine() -> None:
    content = pack(FILES, BundleMetadata(environment="dev", seq=3), key=None).content
    assert content[4:8] == bytes(4)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == ["/.manifest", "/data.json", "/mcp/admission/x.rego"]
    assert {(member.mtime, member.uid, member.gid, member.uname, member.mode) for member in members} == {
        (0, 0, 0, "", 0o600)
    }


def test_the_revision_names_environment_content_and_sequence() -> None:
    packed = pack(FILES, BundleMetadata(environment="dev", seq=3), key=None)
    assert packed.revision == f"dev@{content_id(FILES)}.3"
    assert pack(FILES, BundleMetadata(environment="dev", seq=4), key=None).revision == f"dev@{content_id(FILES)}.4"


@pytest.mark.parametrize(
    "other",
    [
        {**FILES, "data.json": b"{ }"},
        {"data.json": FILES["data.json"]},
        {"data.jso": b"n{}", "mcp/admission/x.rego": FILES["mcp/admission/x.rego"]},
    ],
)
def test_different_content_has_a_different_id(other: dict[str, bytes]) -> None:
    assert content_id(other) != content_id(FILES)


def test_the_signature_covers_every_other_file() -> None:
    key = ephemeral_key()
    packed = pack(FILES, BundleMetadata(environment="dev", seq=3), key=key)
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
        files = {member.name[1:]: archive.extractfile(member).read() for member in archive}  # pyright: ignore[reportOptionalMemberAccess]
    (token,) = orjson.loads(files.pop(".signatures.json"))["signatures"]
    signed = jwt.decode(token, key.public_pem, algorithms=["ES256"])
    assert {each["name"]: each["hash"] for each in signed["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert signed["keyid"] == key.keyid


def test_line_separators_are_escaped_in_the_form_that_opa_hashes() -> None:
    assert canonical({"b": "\u2028", "a": "\u2029é<"}) == '{"a":"\\u2029é<","b":"\\u2028"}'.encode()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_canonical_json_reads_back_and_is_stable(value: Any) -> None:
    text = canonical(value)
    assert orjson.loads(text) == value
    assert canonical(orjson.loads(text)) == text
    assert "\u2028".encode() not in text
