"""Read bytes as an artifact (the files of a bundle with its manifest), or as a rejection.

Rule 1: an archive is read once and strictly: only plain files, each name once, no delta, and the size is limited before
and after unpacking.
Rule 2: nothing is written to disk; names are compared, never followed.
Rule 3: the revision must follow from the environment, the content and the sequence number, because it identifies the
policy of a decision.
"""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from typing import IO, Final

from msgspec import Struct

from gateway.artifact.manifest import Manifest, read_manifest, revision_of
from gateway.artifact.rejection import Rejected

MANIFEST: Final = ".manifest"
SIGNATURES: Final = ".signatures.json"
DELTA: Final = "patch.json"
MOST_BYTES: Final = 64 * 1024 * 1024
"""The maximum size of a packed bundle."""
MOST_UNPACKED: Final = 512 * 1024 * 1024
MOST_FILES: Final = 10_000
_PIECE: Final = 1 << 20
_GZIP: Final = 16 + zlib.MAX_WBITS


class Artifact(Struct, frozen=True, kw_only=True):
    """A bundle that was read, but whose signature is not verified yet."""

    content: bytes
    digest: str
    """The SHA-256 of the bytes, hexadecimal: the name under which it is stored, and its ETag."""
    manifest: Manifest
    files: Mapping[str, bytes]
    """All files except the signatures, by name without a leading slash."""
    signatures: bytes | None

    @property
    def revision(self) -> str:
        """Return the revision, which identifies the policy in decisions."""
        return self.manifest.revision

    @property
    def contents(self) -> dict[str, bytes]:
        """Return the files that the content id covers: all except the manifest."""
        return {name: held for name, held in self.files.items() if name != MANIFEST}


def read_artifact(content: bytes) -> Artifact | Rejected:
    """Return the artifact in these bytes, or the rejection if they are not a valid bundle."""
    plain = _unpacked(content)
    files = plain if isinstance(plain, Rejected) else _files(plain)
    if isinstance(files, Rejected):
        return files
    if any(name.rsplit("/", 1)[-1] == DELTA for name in files):
        return Rejected("bundle_delta", f"it contains {DELTA}")
    if MANIFEST not in files:
        return Rejected("bundle_unreadable", "it has no .manifest")
    manifest = read_manifest(files[MANIFEST])
    if isinstance(manifest, Rejected):
        return manifest
    read = Artifact(
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
        manifest=manifest,
        files={name: held for name, held in files.items() if name != SIGNATURES},
        signatures=files.get(SIGNATURES),
    )
    named = revision_of(manifest.metadata, read.contents)
    if read.revision == named:
        return read
    return Rejected("bundle_unreadable", f"its revision is {read.revision!r}, but its content is that of {named}")


def _unpacked(content: bytes) -> bytes | Rejected:
    """Return the tar archive in a gzip stream, up to the maximum unpacked size of a bundle."""
    if len(content) > MOST_BYTES:
        return Rejected("bundle_too_large", f"it has {len(content)} bytes; the maximum is {MOST_BYTES}")
    stream = zlib.decompressobj(wbits=_GZIP)
    try:
        plain = stream.decompress(content, MOST_UNPACKED)
    except zlib.error as error:
        return Rejected("bundle_unreadable", f"it is not a gzip file: {error}")
    if stream.unconsumed_tail:
        return Rejected("bundle_too_large", f"it has more than {MOST_UNPACKED} bytes unpacked")
    if not stream.eof or stream.unused_data:
        return Rejected("bundle_unreadable", "the gzip file is truncated, or has trailing data")
    return plain


def _files(plain: bytes) -> dict[str, bytes] | Rejected:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for member in archive:
                name, held = member.name.removeprefix("/"), _held(archive, member, len(plain))
                if held is None or not _plain(name) or name in found:
                    wrong = f"{member.name[:200]!r} is not a plain file, or occurs twice"
                    return Rejected("bundle_unreadable", wrong)
                if len(found) >= MOST_FILES:
                    return Rejected("bundle_too_large", f"it has more than {MOST_FILES} files")
                found[name] = held.read()
    except (tarfile.TarError, ValueError, EOFError) as error:
        return Rejected("bundle_unreadable", f"it is not a tar archive: {error}")
    return found


def _held(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> IO[bytes] | None:
    """Return the content of a plain file, but not of a sparse one, which can claim any size and is read as zeros."""
    plain = member.isreg() and not member.issparse() and 0 <= member.size <= most
    return archive.extractfile(member) if plain else None


def _plain(name: str) -> bool:
    return bool(name) and not any(part in {"", ".", ".."} for part in name.split("/"))
