"""`bundle fetch` writes the requested bundle completely, or not at all."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from msgspec import Struct

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.cli import main
from gateway.cli.publishing.publish_target import PublishedChannels
from gateway.cli.publishing.published_bundles import fetched
from gateway.hub.channel_pointer import Mark, Move, Pointer
from tests.hubs import bundle


class Desk(Struct):
    """A directory with two published bundles, and what is fetched from it."""

    root: Path
    key: SigningKey
    contents: Sequence[bytes]
    revisions: Sequence[str]

    @property
    def out(self) -> Path:
        return self.root / "out.tar.gz"

    def fetch(self, wanted: str, *more: str) -> Result:
        words = ("fetch", wanted, "--from", str(self.root / "place"), "-o", str(self.out), *more)
        return CliRunner().invoke(main, ["bundle", *words])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    key = ephemeral_key()
    contents = [bundle(answer, key, seq) for seq, answer in ((1, "first"), (2, "second"))]
    revisions: list[str] = []
    for content in contents:
        (tmp_path / "bundle.tar.gz").write_bytes(content)
        words = (str(tmp_path / "bundle.tar.gz"), "--to", str(tmp_path / "place"), "--channel", "production")
        done = CliRunner().invoke(main, ["bundle", "publish", *words, "--because", "a test"])
        assert done.exit_code == 0, done.output
        revisions.append(done.stdout.strip())
    return Desk(tmp_path, key, contents, revisions)


def test_a_channel_a_revision_and_a_digest_each_name_a_bundle(desk: Desk) -> None:
    first, second = desk.contents
    digest = hashlib.sha256(first).hexdigest()
    for wanted, content in (("production", second), (desk.revisions[0], first), (digest, first)):
        done = desk.fetch(wanted, "--force")
        assert done.exit_code == 0, done.output
        assert desk.out.read_bytes() == content
        assert done.stdout.strip() == desk.revisions[desk.contents.index(content)]
        assert "signature not verified" in done.stderr
    assert [path.name for path in desk.root.iterdir() if path.name.startswith(".")] == []


def test_a_file_that_is_there_stays_unless_it_is_forced(desk: Desk) -> None:
    desk.out.write_text("mine")
    refused = desk.fetch("production")
    assert (refused.exit_code, "already exists" in refused.stderr) == (1, True)
    assert desk.out.read_text() == "mine"
    assert desk.fetch("production", "--force").exit_code == 0


def test_a_file_that_appears_meanwhile_stays_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(*_: object) -> object:
        desk.out.write_text("mine")
        return read_artifact(desk.contents[0])

    monkeypatch.setattr("gateway.cli.bundle.fetch.fetched", slowly)
    refused = desk.fetch("production")
    assert (refused.exit_code, "File exists" in refused.stderr) == (1, True)
    assert desk.out.read_text() == "mine"
    assert [path.name for path in desk.root.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("canary", "Channel 'canary' does not exist. Channels: production."),
        ("test@0123456789ab.9", "Revision test@0123456789ab.9 was not found"),
        ("0" * 64, f"artefact_unknown: artifact {'0' * 64} is not in this hub"),
        ("../moves", "Channel '../moves' does not exist"),
    ],
)
def test_a_missing_bundle_is_reported_and_no_file_is_made(desk: Desk, wanted: str, said: str) -> None:
    refused = desk.fetch(wanted)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert not desk.out.exists()


def test_a_signature_is_verified_where_the_key_is_given(desk: Desk) -> None:
    public = desk.root / "key.pub.pem"
    public.write_text(ephemeral_key().public_pem)
    refused = desk.fetch("production", "--verification-key", str(public))
    assert (refused.exit_code, "bundle_signature_invalid" in refused.stderr) == (1, True)
    assert not desk.out.exists()
    public.write_text(desk.key.public_pem)
    done = desk.fetch("production", "--verification-key", str(public))
    assert (done.exit_code, "signature verified" in done.stderr) == (0, True)


def test_a_damaged_artifact_is_not_taken(desk: Desk) -> None:
    for path in (desk.root / "place" / "artefacts").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    refused = desk.fetch("production")
    assert (refused.exit_code, "does not match its digest" in refused.stderr) == (1, True)


def test_a_place_that_is_mistyped_is_not_made(desk: Desk) -> None:
    words = ("fetch", "production", "--from", str(desk.root / "plaec"), "-o", str(desk.out))
    refused = CliRunner().invoke(main, ["bundle", *words])
    assert (refused.exit_code, "is not a hub directory" in refused.stderr) == (1, True)
    assert not (desk.root / "plaec").exists()


class Lying:
    """A hub that says of an artifact what is not so."""

    def __init__(self, content: bytes, mark: Mark, channel: str = "production") -> None:
        self._channel = channel
        self._content = content
        self._mark = mark

    def known(self) -> PublishedChannels:
        about = {"channel": self._channel, "since": "", "by": "", "because": ""}
        told = Pointer(
            digest=self._mark.digest, revision=self._mark.revision, environment="test", seq=self._mark.seq, **about
        )
        return PublishedChannels(channels={self._channel: told}, highest={})

    def history(self, channel: str, limit: int) -> list[Move]:
        assert limit
        return [Move(time="", channel=channel, before=None, to=self._mark, by="", because="")]

    def content(self, digest: str) -> bytes:
        assert digest == self._mark.digest
        return self._content


def test_a_hub_that_sends_something_else_or_under_another_name_is_not_believed(desk: Desk) -> None:
    first, second = desk.contents
    digest = hashlib.sha256(first).hexdigest()
    asked = Mark(digest=digest, revision=desk.revisions[0], environment="test", seq=1)
    honest = fetched(Lying(first, asked), desk.revisions[0])
    assert isinstance(honest, Artifact)
    for wanted in (desk.revisions[0], digest, "production"):
        with pytest.raises(click.ClickException, match="The received content is not the artifact"):
            fetched(Lying(second, asked), wanted)
    with pytest.raises(click.ClickException) as refused:
        fetched(Lying(first, asked, channel="a\x1b[2J"), "production")
    assert "a\\x1b[2J" in refused.value.message
    renamed = Mark(digest=digest, revision="test@0123456789ab.7", environment="test", seq=7)
    for wanted in ("test@0123456789ab.7", "production"):
        with pytest.raises(click.ClickException, match=r"not test@0123456789ab\.7"):
            fetched(Lying(first, renamed), wanted)
