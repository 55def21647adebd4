"""Pack staged files into an OPA bundle.

Rule 1: the same content and sequence number give the same unsigned bytes: sorted names, fixed times, owners and modes.
Rule 2: JSON is written in the form that OPA hashes (sorted keys, no spaces, U+2028 and U+2029 escaped).
Rule 3: the content id covers every packed file except the manifest. The sequence number and the signature are not
content.
"""

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from msgspec import Struct, to_builtins

from gateway.artifact.artifact import MANIFEST, SIGNATURES
from gateway.artifact.manifest import ROOTS, BundleMetadata, Manifest, revision_of
from gateway.artifact.signature_checks import POLICY
from gateway.artifact.signing import SigningKey, signatures

MEDIA_TYPE: Final = "application/vnd.openpolicyagent.bundles"


class Packed(Struct, frozen=True):
    """The bytes of a bundle, and the revision in its manifest."""

    revision: str
    seq: int
    content: bytes


def canonical(value: Any) -> bytes:
    """Return a value as JSON in the form that OPA hashes."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return text.replace("\u2028".encode(), b"\\u2028").replace("\u2029".encode(), b"\\u2029")


def pack(
    files: Mapping[str, bytes],
    metadata: BundleMetadata,
    *,
    key: SigningKey | None,
    roots: Sequence[str] = ROOTS,
    scope: str = POLICY,
) -> Packed:
    """Return the bundle of `files`: its Rego files and `data.json`, with names without a leading slash."""
    revision = revision_of(metadata, files)
    manifest = Manifest(revision=revision, metadata=metadata, roots=tuple(sorted(roots)))
    packed = {**files, MANIFEST: canonical(to_builtins(manifest))}
    return Packed(revision, metadata.seq, archived(packed, key, scope=scope))


def archived(files: Mapping[str, bytes], key: SigningKey | None, *, scope: str = POLICY) -> bytes:
    """Return the bytes of a bundle of these files, which include its manifest; sign it if there is a key."""
    signed = files if key is None else {**files, SIGNATURES: signatures(files, key, scope=scope)}
    return _archive(signed)


def _archive(files: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"/{name}")
            entry.size = len(files[name])
            entry.mode = 0o600
            archive.addfile(entry, io.BytesIO(files[name]))
    return gzip.compress(plain.getvalue(), compresslevel=6, mtime=0)
