"""Publishing to a directory, inspecting it, and rolling back follow the rules of a hub."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec import Struct

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import moment_of, rfc3339
from gateway.artifact.signature_checks import VerifyingKey, unsigned_by
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.cli import main
from tests.hubs import bundle, private_pem


class Desk(Struct):
    """Where a release engineer works."""

    root: Path
    key: SigningKey

    @property
    def place(self) -> Path:
        return self.root / "place"

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, ["bundle", *words])

    def publish(self, content: bytes, *more: str, channel: str = "production") -> Result:
        file = self.root / "bundle.tar.gz"
        file.write_bytes(content)
        words = ("publish", str(file), "--to", str(self.place), "--channel", channel, "--because", "a test")
        return self.run(*words, *more)

    def rollback(self, *more: str) -> Result:
        words = ("rollback", "--to", str(self.place), "--channel", "production", "--because", "It was wrong")
        return self.run(*words, "--key-file", str(self.root / "key.pem"), *more)

    def bundle(self, answer: object, seq: int, **metadata: Any) -> bytes:
        return bundle(answer, self.key, seq, **metadata)

    def served(self, channel: str = "production") -> Artifact:
        """What a gateway finds behind the channel."""
        pointer = json.loads((self.place / "channels" / f"{channel}.json").read_text())
        artifact = read_artifact((self.place / "artefacts" / f"{pointer['digest']}.tar.gz").read_bytes())
        assert isinstance(artifact, Artifact)
        assert artifact.digest == pointer["digest"]
        return artifact

    def answer(self) -> object:
        return json.loads(self.served().files["data.json"])["own"]["answer"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    key = ephemeral_key()
    (tmp_path / "key.pem").write_bytes(private_pem(key))
    return Desk(tmp_path, key)


def test_a_published_bundle_is_what_the_channel_points_to(desk: Desk) -> None:
    published = desk.publish(desk.bundle("first", 1))
    assert published.exit_code == 0, published.output
    assert published.stdout.strip() == desk.served().revision
    (line,) = desk.run("channels", "--to", str(desk.place)).stdout.splitlines()
    assert json.loads(line)["revision"] == desk.served().revision
    assert json.loads(line)["because"] == "a test"


@pytest.mark.parametrize("words", [("channels",), ("history", "--channel", "production")])
def test_a_directory_that_is_not_there_is_told_and_not_made(desk: Desk, words: tuple[str, ...]) -> None:
    mistyped = desk.root / "mistyped"
    result = desk.run(*words, "--to", str(mistyped))
    assert result.exit_code != 0
    assert not mistyped.exists()
    assert desk.rollback().exit_code != 0
    assert not desk.place.exists()


def test_the_history_says_who_moved_what_and_why_the_newest_first(desk: Desk) -> None:
    for seq in (1, 2):
        assert desk.publish(desk.bundle(str(seq), seq)).exit_code == 0
    newest, oldest = (json.loads(line) for line in desk.run("history", "--to", str(desk.place)).stdout.splitlines())
    assert newest["from"] == oldest["to"]
    assert oldest["from"] is None
    assert newest["by"]


def test_an_empty_list_is_reported_on_standard_error(desk: Desk) -> None:
    desk.place.mkdir()
    nothing = desk.run("channels", "--to", str(desk.place))
    assert (nothing.exit_code, nothing.stdout, "No channels found" in nothing.stderr) == (0, "", True)
    desk.publish(desk.bundle("first", 1))
    unmoved = desk.run("history", "--to", str(desk.place), "--channel", "prodution")
    assert (unmoved.exit_code, unmoved.stdout, "No moves of prodution" in unmoved.stderr) == (0, "", True)
    assert desk.run("history", "--to", str(desk.place)).stderr == ""


REFUSED: dict[str, Callable[[Desk], bytes]] = {
    "bundle_unsigned": lambda _: bundle("x", None, 2),
    "bundle_unreadable": lambda desk: desk.bundle("x", 2)[:-9],
    "policy_expired": lambda desk: desk.bundle("x", 1, not_after=rfc3339(time.time() - 5)),
    "policy_regressed": lambda desk: desk.bundle("x", 0),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_bundle_that_a_hub_refuses_is_not_stored_in_a_directory(desk: Desk, code: str) -> None:
    desk.publish(desk.bundle("first", 1))
    refused = desk.publish(REFUSED[code](desk))
    assert refused.exit_code == 1
    assert code in refused.stderr
    assert desk.answer() == "first"


def test_a_signature_is_verified_where_the_key_is_given(desk: Desk) -> None:
    public = desk.root / "other.pub.pem"
    public.write_text(ephemeral_key().public_pem)
    refused = desk.publish(desk.bundle("first", 1), "--verification-key", str(public))
    assert refused.exit_code == 1
    assert "bundle_signature_invalid" in refused.stderr
    public.write_text(desk.key.public_pem)
    taken = desk.publish(desk.bundle("first", 1), "--verification-key", str(public))
    assert (taken.exit_code, "was not verified" in taken.stderr) == (0, False)
    assert "was not verified" in desk.publish(desk.bundle("second", 2)).stderr


@pytest.mark.parametrize(
    ("name", "said"), [("Prod/eu", "not a valid channel name"), ("emergency", "is reserved for stops")]
)
def test_a_name_that_no_channel_may_have_is_told_before_a_hub_is_asked(desk: Desk, name: str, said: str) -> None:
    refused = desk.publish(desk.bundle("first", 1), "--to", "http://127.0.0.1:1", "--token-file", "none", channel=name)
    assert (refused.exit_code, said in refused.stderr) == (2, True)
    assert desk.rollback("--channel", name).exit_code == 2


def test_a_command_cannot_wait_for_gateways_of_a_directory(desk: Desk) -> None:
    refused = desk.publish(desk.bundle("first", 1), "--wait")
    assert refused.exit_code == 2
    assert "--wait needs a hub" in refused.stderr


def test_a_rollback_signs_the_old_content_under_a_new_number_and_names_the_reverted(desk: Desk) -> None:
    desk.publish(desk.bundle("good", 1, commit="c1", author="alice"))
    good = desk.served()
    desk.publish(desk.bundle("bad", 2))
    bad = desk.served()
    back = desk.rollback()
    assert back.exit_code == 0, back.output
    served = desk.served()
    assert back.stdout.strip() == served.revision
    assert desk.answer() == "good"
    metadata = served.manifest.metadata
    assert (metadata.seq, metadata.reverts, metadata.commit, metadata.author) == (3, bad.revision, "c1", "alice")
    assert served.revision.split(".")[0] == good.revision.split(".")[0], "the same content"
    assert (moment_of(metadata.not_after) or 0) > (time.time() + 89 * 86_400) * 1e9
    assert unsigned_by(served, [VerifyingKey(keyid=desk.key.keyid, pem=desk.key.public_pem)]) is None


def test_a_rollback_goes_to_the_revision_that_is_named(desk: Desk) -> None:
    revisions: list[str] = []
    for seq, answer in ((1, "a"), (2, "b"), (3, "c")):
        revisions.append(desk.publish(desk.bundle(answer, seq)).stdout.strip())
    assert desk.rollback("--revision", revisions[0]).exit_code == 0
    assert desk.answer() == "a"
    assert desk.rollback("--revision", "test@0123.9").exit_code == 1


def test_a_rollback_of_a_rollback_does_not_bring_back_what_was_taken_back(desk: Desk) -> None:
    desk.publish(desk.bundle("good", 1))
    desk.publish(desk.bundle("bad", 2))
    desk.rollback()
    again = desk.rollback()
    assert again.exit_code == 1
    assert "Choose a revision with --revision" in again.stderr
    assert desk.answer() == "good"


def test_content_that_was_published_again_is_no_way_back(desk: Desk) -> None:
    for seq, answer in ((1, "good"), (2, "bad"), (3, "bad"), (4, "bad")):
        assert desk.publish(desk.bundle(answer, seq)).exit_code == 0
    assert desk.rollback().exit_code == 0
    assert desk.answer() == "good"
    assert desk.served().manifest.metadata.reverts.endswith(".4")


def test_a_rollback_never_restores_reverted_content(desk: Desk) -> None:
    desk.publish(desk.bundle("good", 1))
    desk.publish(desk.bundle("bad", 2))
    desk.rollback()
    for seq in (10, 11):
        assert desk.publish(desk.bundle("good", seq)).exit_code == 0
    assert "Choose a revision with --revision" in desk.rollback().stderr
    assert desk.answer() == "good"


def test_a_pipeline_does_not_publish_reverted_content_again(desk: Desk) -> None:
    desk.publish(desk.bundle("good", 1))
    desk.publish(desk.bundle("bad", 2))
    desk.rollback()
    weekly = desk.publish(desk.bundle("bad", 10))
    assert weekly.exit_code == 1
    assert "took it back with a rollback: 'It was wrong'" in weekly.stderr
    assert desk.answer() == "good"
    assert desk.publish(desk.bundle("mended", 11)).exit_code == 0
    assert desk.publish(desk.bundle("bad", 12)).exit_code == 0, "somebody decided that, after something else"


def test_reverted_content_is_published_with_again(desk: Desk) -> None:
    desk.publish(desk.bundle("good", 1))
    desk.publish(desk.bundle("bad", 2))
    desk.rollback()
    assert desk.publish(desk.bundle("bad", 10), "--again").exit_code == 0
    assert desk.answer() == "bad"


def test_the_number_is_above_all_channels_of_the_environment(desk: Desk) -> None:
    desk.publish(desk.bundle("good", 1))
    desk.publish(desk.bundle("bad", 2))
    desk.publish(desk.bundle("early", 7), channel="canary")
    assert desk.rollback().exit_code == 0
    assert desk.served().manifest.metadata.seq == 8


def test_a_place_cannot_make_us_sign_what_nobody_signed(desk: Desk) -> None:
    planted = bundle("planted", ephemeral_key(), 1)
    assert desk.publish(planted).exit_code == 0, "this directory was given no key"
    desk.publish(desk.bundle("bad", 2))
    refused = desk.rollback()
    assert refused.exit_code == 1
    assert "is not signed again" in refused.stderr
    assert desk.answer() == "bad"


def test_there_is_no_way_back_from_the_first_or_from_nothing(desk: Desk) -> None:
    desk.publish(desk.bundle("first", 1), channel="canary")
    assert "has no channel 'production'" in desk.rollback().stderr
    desk.publish(desk.bundle("first", 2))
    refused = desk.rollback()
    assert (refused.exit_code, "No earlier content to roll back to" in refused.stderr) == (1, True)
    assert desk.answer() == "first"
