"""A bundle is accepted only if a valid key signed it completely for this use, and it may be enforced here and now."""

from typing import Any

import jwt
import orjson
import pytest
from msgspec.structs import replace

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata, moment_of, rfc3339
from gateway.artifact.pack import pack
from gateway.artifact.signature_checks import EMERGENCY, EnforcementContext, VerifyingKey, unenforceable, unsigned_by
from gateway.artifact.signing import SigningKey, ephemeral_key

FILES = {"data.json": b'{"a":1}', "mcp/admission/x.rego": b"package mcp.admission\n"}
METADATA = BundleMetadata(environment="dev", seq=3)
KEY, OTHER = ephemeral_key(), ephemeral_key()
NOW = moment_of("2026-11-28T12:00:00Z") or 0
STANDING = EnforcementContext(
    environment="dev", highest_seq=3, unix_ns=NOW, version="0.2.0", input_schema="mcp.input/v1"
)


def known(*keys: SigningKey) -> list[VerifyingKey]:
    return [VerifyingKey(keyid=key.keyid, pem=key.public_pem) for key in keys]


def signed(scope: str = "", key: SigningKey | None = KEY) -> Artifact:
    read = read_artifact(pack(FILES, METADATA, key=key, scope=scope).content)
    assert isinstance(read, Artifact)
    return read


def token(**claims: Any) -> bytes:
    return orjson.dumps({"signatures": [jwt.encode({"keyid": KEY.keyid, **claims}, KEY.private, algorithm="ES256")]})


def test_a_bundle_signed_by_a_valid_key_is_accepted() -> None:
    assert unsigned_by(signed(), known(KEY)) is None
    assert unsigned_by(signed(), known(OTHER, KEY)) is None
    assert unsigned_by(signed(EMERGENCY), known(KEY), EMERGENCY) is None


def test_a_key_is_found_by_its_derived_id_and_by_its_name_in_the_settings() -> None:
    assert unsigned_by(signed(), [VerifyingKey(keyid="policy", pem=KEY.public_pem.strip())]) is None
    assert unsigned_by(signed(), [VerifyingKey(keyid="policy", pem=OTHER.public_pem)]) is not None


@pytest.mark.parametrize(
    ("artifact", "keys", "scope"),
    [
        (signed(key=None), known(KEY), ""),
        (signed(), known(OTHER), ""),
        (signed(), [], ""),
        (signed(), [VerifyingKey(keyid=KEY.keyid, pem=OTHER.public_pem)], ""),
        (signed(), [VerifyingKey(keyid=KEY.keyid, pem="nonsense")], ""),
        (signed(EMERGENCY), known(KEY), ""),
        (signed(), known(KEY), EMERGENCY),
        (replace(signed(), files={**signed().files, "data.json": b'{"a":2}'}), known(KEY), ""),
        (replace(signed(), files={**signed().files, "more.rego": b""}), known(KEY), ""),
        (replace(signed(), files={"data.json": b'{"a":1}'}), known(KEY), ""),
        (replace(signed(), signatures=b"{}"), known(KEY), ""),
        (replace(signed(), signatures=b'{"signatures":[]}'), known(KEY), ""),
        (replace(signed(), signatures=b'{"signatures":["x.y.z"]}'), known(KEY), ""),
        (replace(signed(), signatures=token(files=[])), known(KEY), ""),
        (replace(signed(), signatures=token()), known(KEY), ""),
        (replace(signed(), signatures=token(keyid=[])), known(KEY), ""),
        (replace(signed(), signatures=b'{"signatures":' + b"[" * 100_000), known(KEY), ""),
    ],
)
def test_any_other_bundle_is_rejected(artifact: Artifact, keys: list[VerifyingKey], scope: str) -> None:
    rejected = unsigned_by(artifact, keys, scope)
    assert rejected is not None
    assert rejected.code in {"bundle_unsigned", "bundle_signature_invalid"}


def test_a_bundle_with_two_signatures_is_rejected() -> None:
    artifact = signed()
    assert artifact.signatures is not None
    (one,) = orjson.loads(artifact.signatures)["signatures"]
    assert unsigned_by(replace(artifact, signatures=orjson.dumps({"signatures": [one, one]})), known(KEY)) is not None


def test_a_header_does_not_choose_the_algorithm() -> None:
    claims = jwt.decode(orjson.loads(signed().signatures or b"")["signatures"][0], options={"verify_signature": False})
    for algorithm, key in (("none", ""), ("HS256", "x" * 32)):
        forged = orjson.dumps({"signatures": [jwt.encode(claims, key, algorithm=algorithm)]})
        assert unsigned_by(replace(signed(), signatures=forged), known(KEY)) is not None


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        (METADATA, None),
        (replace(METADATA, seq=4), None),
        (replace(METADATA, lowest_gateway="0.2.0"), None),
        (replace(METADATA, not_after=rfc3339(NOW / 1e9)), None),
        (replace(METADATA, not_after=rfc3339(NOW / 1e9 - 59)), None),
        (replace(METADATA, not_after=rfc3339(NOW / 1e9 - 61)), "policy_expired"),
        (replace(METADATA, not_after="tomorrow"), "bundle_unreadable"),
        (replace(METADATA, seq=2), "policy_regressed"),
        (replace(METADATA, environment="production"), "bundle_of_other_environment"),
        (replace(METADATA, input_schema="mcp.input/v2"), "bundle_input_unknown"),
        (replace(METADATA, lowest_gateway="0.2.1"), "bundle_needs_newer_gateway"),
        (replace(METADATA, lowest_gateway="0.10.0"), "bundle_needs_newer_gateway"),
        (replace(METADATA, lowest_gateway="1.x"), "bundle_needs_newer_gateway"),
        (replace(METADATA, lowest_gateway="9" * 5000), "bundle_needs_newer_gateway"),
    ],
)
def test_metadata_are_checked_against_the_gateway(metadata: BundleMetadata, code: str | None) -> None:
    rejected = unenforceable(metadata, replace(STANDING, grace_s=60))
    assert (rejected and rejected.code) == code
