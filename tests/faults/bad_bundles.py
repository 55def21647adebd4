"""Bundles that must not be enforced, each with the code that it is refused with."""

import gzip
import io
import tarfile
import time
from collections.abc import Callable
from typing import Final

from gateway.artifact.artifact import MOST_BYTES
from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import BundleMetadata, rfc3339
from gateway.artifact.pack import archived, pack
from gateway.artifact.signing import ephemeral_key
from tests.faults.followed import ENVIRONMENT, KEY, Policy

NEXT: Final = 100
PAST: Final = rfc3339(time.time() - 3600)


def truncated(policy: Policy) -> bytes:
    content = policy.bundle(NEXT).content
    return content[: len(content) // 2]


def changed(policy: Policy, was: bytes, now: bytes) -> bytes:
    """The bundle with one word changed after it was signed."""
    content = gzip.decompress(policy.bundle(NEXT).content)
    assert was in content
    return gzip.compress(content.replace(was, now))


def policy_changed(policy: Policy) -> bytes:
    """Its content is not what its revision names any more."""
    return changed(policy, b'"default":"deny"', b'"default":"deni"')


def manifest_changed(policy: Policy) -> bytes:
    """Its content is what its revision names, but the manifest is not what was signed."""
    return changed(policy, b'"rego_version":1', b'"rego_version":0')


def delta(policy: Policy) -> bytes:
    return archived({**dict(policy.files), **_manifest(policy), "patch.json": b'{"data":[]}'}, KEY)


def _manifest(policy: Policy) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(policy.bundle(NEXT).content))) as archive:
        held = archive.extractfile("/.manifest")
        assert held is not None
        return {".manifest": held.read()}


def heedless(policy: Policy) -> bytes:
    """A policy that asks of its messages everything but whether they are stopped."""
    lines = policy.files[COMBINED_REQUIREMENTS].splitlines(keepends=True)
    kept = b"".join(line for line in lines if b"nothing_is_stopped" not in line)
    return pack(
        {**policy.files, COMBINED_REQUIREMENTS: kept}, BundleMetadata(environment=ENVIRONMENT, seq=NEXT), key=KEY
    ).content


def bomb(_: Policy) -> bytes:
    """A few KB that unpack to more than a bundle may hold."""
    return gzip.compress(bytes(600 * 1024 * 1024), compresslevel=9)


FAULTS: Final[dict[str, tuple[str, Callable[[Policy], bytes]]]] = {
    "with a changed policy": ("bundle_unreadable", policy_changed),
    "with a changed manifest": ("bundle_signature_invalid", manifest_changed),
    "truncated": ("bundle_unreadable", truncated),
    "unparsable": ("bundle_unreadable", lambda _: b"no bundle at all"),
    "unsigned": ("bundle_unsigned", lambda policy: policy.bundle(NEXT, key=None).content),
    "wrongly signed": ("bundle_signature_invalid", lambda policy: policy.bundle(NEXT, key=ephemeral_key()).content),
    "of a lower number": ("policy_regressed", lambda policy: policy.bundle(1).content),
    "expired": ("policy_expired", lambda policy: policy.bundle(NEXT, not_after=PAST).content),
    "of another environment": (
        "bundle_of_other_environment",
        lambda policy: policy.bundle(NEXT, environment="elsewhere").content,
    ),
    "for a newer gateway": (
        "bundle_needs_newer_gateway",
        lambda policy: policy.bundle(NEXT, lowest_gateway="99.0.0").content,
    ),
    "for other questions": (
        "bundle_input_unknown",
        lambda policy: policy.bundle(NEXT, input_schema="mcp.input/v9").content,
    ),
    "without the requirement that refuses what is stopped": ("bundle_ignores_stops", heedless),
    "a delta": ("bundle_delta", delta),
    "huge": ("bundle_too_large", lambda _: b"\0" * (MOST_BYTES + 1)),
    "a bomb": ("bundle_too_large", bomb),
}
