"""Strict reading of bundles: a truncated, unusual or foreign archive is rejected with its code."""

import gzip
import io
import tarfile
from collections.abc import Callable

import pytest

from gateway.artifact import artifact
from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata, Library, Manifest, content_id, read_manifest
from gateway.artifact.pack import pack
from gateway.artifact.rejection import Rejected

FILES = {"data.json": b"{}", "mcp/admission/x.rego": b"package mcp.admission\n"}
METADATA = BundleMetadata(environment="dev", seq=3, commit="abc", library=Library(version="0.1.0", digest="d"))
BUNDLE = pack(FILES, METADATA, key=None).content


def archive(*entries: tuple[str, bytes], link: str = "") -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as made:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            made.addfile(entry)
    return gzip.compress(plain.getvalue())


def sparse(size: int) -> bytes:
    """Return a few bytes that claim to be a sparse file of this size."""
    entry = tarfile.TarInfo("/data.json")
    entry.size = 0
    entry.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,0"}
    entry.pax_headers["GNU.sparse.size"] = str(size)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as made:
        made.addfile(entry, io.BytesIO(b""))
    return gzip.compress(plain.getvalue())


def test_a_packed_bundle_is_read_back() -> None:
    read = read_artifact(BUNDLE)
    assert isinstance(read, Artifact)
    assert read.manifest.metadata == METADATA
    assert read.revision == f"dev@{content_id(FILES)}.3"
    assert {name: held for name, held in read.files.items() if name != ".manifest"} == FILES
    assert read.signatures is None


def manifest() -> bytes:
    read = read_artifact(BUNDLE)
    assert isinstance(read, Artifact)
    return read.files[".manifest"]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda: b"", "bundle_unreadable"),
        (lambda: b"PK\x03\x04", "bundle_unreadable"),
        (lambda: BUNDLE[:-9], "bundle_unreadable"),
        (lambda: BUNDLE + b"more", "bundle_unreadable"),
        (lambda: gzip.compress(b"no tar" * 200), "bundle_unreadable"),
        (lambda: archive(("/data.json", b"{}")), "bundle_unreadable"),
        (lambda: archive(("/.manifest", b"{}")), "bundle_unreadable"),
        (lambda: archive(("/.manifest", manifest()), ("/a", b"1"), ("a", b"2")), "bundle_unreadable"),
        (lambda: archive(("/.manifest", manifest()), ("/../a", b"1")), "bundle_unreadable"),
        (lambda: archive(("/.manifest", manifest()), link="/data.json"), "bundle_unreadable"),
        (lambda: archive(("/.manifest", b'{"x":' + b"[" * 100_000)), "bundle_unreadable"),
        (lambda: sparse(300_000_000), "bundle_unreadable"),
        (lambda: archive(("/.manifest", manifest()), ("/patch.json", b"{}")), "bundle_delta"),
        (lambda: archive(("/.manifest", manifest()), ("/x/patch.json", b"{}")), "bundle_delta"),
    ],
)
def test_an_invalid_bundle_is_rejected_with_its_code(made: Callable[[], bytes], code: str) -> None:
    read = read_artifact(made())
    assert isinstance(read, Rejected)
    assert read.code == code
    assert str(read).startswith(code)


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_UNPACKED", "MOST_FILES"])
def test_an_oversized_bundle_is_rejected_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(artifact, limit, 1)
    read = read_artifact(BUNDLE)
    assert isinstance(read, Rejected)
    assert read.code == "bundle_too_large"


@pytest.mark.parametrize(
    "revision", [b"dev@000000000000.3", b"prod@" + content_id(FILES).encode() + b".3", content_id(FILES).encode()]
)
def test_a_revision_that_is_not_that_of_the_content_is_rejected(revision: bytes) -> None:
    renamed = manifest().replace(f"dev@{content_id(FILES)}.3".encode(), revision)
    read = read_artifact(archive(("/.manifest", renamed), *FILES.items()))
    assert isinstance(read, Rejected)
    assert read.code == "bundle_unreadable"
    assert content_id(FILES) in read.detail


@pytest.mark.parametrize(
    "metadata",
    [b'{"environment":"dev"}', b'{"environment":"dev","seq":-1}', b'{"environment":"dev","seq":1000000000000000000}',
     b'{"environment":"Dev","seq":1}', b'{"environment":"dev\\n","seq":1}', b'{"environment":"a@b","seq":1}'],
)  # fmt: skip
def test_metadata_that_a_revision_cannot_contain_are_rejected(metadata: bytes) -> None:
    assert isinstance(read_manifest(b'{"revision":"dev@abcdef.1","metadata":' + metadata + b"}"), Rejected)


def test_unknown_metadata_of_a_newer_build_are_ignored() -> None:
    text = b'{"revision":"dev@abcdef.1","metadata":{"environment":"dev","seq":1,"color":"blue"},"more":1}'
    read = read_manifest(text)
    assert isinstance(read, Manifest)
    assert read.metadata.seq == 1
