"""Bytes become an artifact: the files of a bundle with its manifest, or a rejection.

Rule 1: an archive is read once, strictly: plain files, each name once, no delta, bounded before and after unpacking.
Rule 2: nothing is written to disk; names are compared, never followed.
Rule 3: the revision is the one that environment, content and sequence number make: decisions are told apart by it.
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
"""Of the packed bundle."""
MOST_UNPACKED: Final = 512 * 1024 * 1024
MOST_FILES: Final = 10_000
_PIECE: Final = 1 << 20
_GZIP: Final = 16 + zlib.MAX_WBITS


class Artifact(Struct, frozen=True, kw_only=True):
    """A bundle that was read; nothing is said yet about who signed it."""

    content: bytes
    digest: str
    """SHA-256 of the bytes, hexadecimal: the name under which it is stored, and its ETag."""
    manifest: Manifest
    files: Mapping[str, bytes]
    """Every file but the signatures, by name without a leading slash."""
    signatures: bytes | None

    @property
    def revision(self) -> str:
        """The identity that decisions carry."""
        return self.manifest.revision

    @property
    def contents(self) -> dict[str, bytes]:
        """What the content id covers: every file but the manifest."""
        return {name: held for name, held in self.files.items() if name != MANIFEST}


def read_artifact(content: bytes) -> Artifact | Rejected:
    """The artifact in these bytes, or why they are none."""
    plain = _unpacked(content)
    files = plain if isinstance(plain, Rejected) else _files(plain)
    if isinstance(files, Rejected):
        return files
    if any(name.rsplit("/", 1)[-1] == DELTA for name in files):
        return Rejected("bundle_delta", f"it holds {DELTA}")
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
    return read if read.revision == named else Rejected("bundle_unreadable", f"{read.revision!r} is not {named}")


def _unpacked(content: bytes) -> bytes | Rejected:
    """The tar archive in a gzip stream, never more of it than a bundle may hold."""
    if len(content) > MOST_BYTES:
        return Rejected("bundle_too_large", f"{len(content)} bytes, {MOST_BYTES} at most")
    stream = zlib.decompressobj(wbits=_GZIP)
    try:
        plain = stream.decompress(content, MOST_UNPACKED)
    except zlib.error as error:
        return Rejected("bundle_unreadable", f"it is not a gzip file: {error}")
    if stream.unconsumed_tail:
        return Rejected("bundle_too_large", f"more than {MOST_UNPACKED} bytes unpacked")
    if not stream.eof or stream.unused_data:
        return Rejected("bundle_unreadable", "the gzip file is cut off, or something follows it")
    return plain


def _files(plain: bytes) -> dict[str, bytes] | Rejected:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for member in archive:
                name, held = member.name.removeprefix("/"), _held(archive, member, len(plain))
                if held is None or not _plain(name) or name in found:
                    return Rejected("bundle_unreadable", f"{member.name[:200]!r} is no plain file, or is there twice")
                if len(found) >= MOST_FILES:
                    return Rejected("bundle_too_large", f"more than {MOST_FILES} files")
                found[name] = held.read()
    except (tarfile.TarError, ValueError, EOFError) as error:
        return Rejected("bundle_unreadable", f"it is not a tar archive: {error}")
    return found


def _held(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> IO[bytes] | None:
    """The content of a plain file; a sparse one claims any size, which reading it would fill with zeros."""
    plain = member.isreg() and not member.issparse() and 0 <= member.size <= most
    return archive.extractfile(member) if plain else None


def _plain(name: str) -> bool:
    return bool(name) and not any(part in {"", ".", ".."} for part in name.split("/"))
